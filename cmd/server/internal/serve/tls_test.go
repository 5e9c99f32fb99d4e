package serve

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"vitrine/cmd/server/internal/authority"
	"vitrine/cmd/server/internal/config"
	"vitrine/cmd/server/internal/port"
	"vitrine/core/pb"
)

// start runs one server with these flags until the test ends.
func start(t *testing.T, flags ...string) *Server {
	t.Helper()
	cfg, err := config.Parse(append([]string{"--name=m", "--data-dir=" + filepath.Join(t.TempDir(), "m"),
		"--heartbeat-interval=30", "--election-timeout=300"}, flags...), nil, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(cfg, zap.NewNop(), testPage)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	<-s.node.Ready()
	return s
}

// status asks over gRPC.
func ask(target string, c *tls.Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(credentials.NewTLS(c)))
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Invoke(ctx, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte("a")}, &pb.RangeResponse{})
}

// fetch asks over HTTP; h2 lets the client have HTTP/2.
func fetch(t *testing.T, url string, c *tls.Config, h2 bool) (proto, body string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: h2}
	defer transport.CloseIdleConnections()
	var resp *http.Response
	until(t, "an answer", func() (ok bool) {
		var err error
		resp, err = (&http.Client{Transport: transport}).Get(url)
		return err == nil
	})
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Proto, string(b)
}

// One port with and without TLS, for gRPC and both versions of HTTP.
func TestAllOnOnePort(t *testing.T) {
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{Name: "server", Hosts: []string{"127.0.0.1", "localhost"}})
	client, peer, metrics := port.Free(t), port.Free(t), port.Free(t)
	start(t, "--cert-file="+own.Cert, "--key-file="+own.Key, "--listen-metrics-urls=https://"+metrics,
		"--listen-client-urls=http://"+client+",https://"+client, "--advertise-client-urls=https://"+client,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer)
	for _, at := range []struct {
		url   string
		tls   *tls.Config
		h2    bool
		proto string
	}{
		{"http://" + client, nil, false, "HTTP/1.1"}, {"https://" + client, ca.Client(), false, "HTTP/1.1"},
		{"https://" + client, ca.Client(), true, "HTTP/2.0"}, {"https://" + metrics, ca.Client(), true, "HTTP/2.0"},
	} {
		if proto, body := fetch(t, at.url+"/health", at.tls, at.h2); proto != at.proto || !strings.Contains(body, `"true"`) {
			t.Errorf("%s: %s %s", at.url, proto, body)
		}
	}
	if err := ask(client, ca.Client()); err != nil {
		t.Error(err)
	}
	both := ca.Client()
	both.NextProtos = []string{"http/1.1"} // grpc-go adds h2; net/http then has the call
	if err := ask(client, both); err != nil {
		t.Errorf("by way of net/http: %v", err)
	}
	if err := ask(client, authority.New(t).Client()); err == nil {
		t.Error("a server of an unknown authority is believed")
	}
}

// HTTP apart from gRPC, on sockets too.
func TestHTTPApart(t *testing.T) {
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{Hosts: []string{"127.0.0.1", "localhost"}})
	client, web, peer := port.Free(t), port.Free(t), port.Free(t)
	t.Chdir(t.TempDir())
	start(t, "--cert-file="+own.Cert, "--key-file="+own.Key, "--advertise-client-urls=https://"+client,
		"--listen-client-urls=https://"+client+",unixs://localhost:1", "--listen-client-http-urls=https://"+web,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer)
	if _, body := fetch(t, "https://"+web+"/health", ca.Client(), true); !strings.Contains(body, `"true"`) {
		t.Error(body)
	}
	if err := ask(client, ca.Client()); err != nil {
		t.Error(err)
	}
	local := ca.Client()
	local.ServerName = "localhost"
	if err := ask("unix:localhost:1", local); err != nil {
		t.Error(err)
	}
	if err := ask(web, ca.Client()); err == nil {
		t.Error("gRPC where there is HTTP alone")
	}
	transport := &http.Transport{TLSClientConfig: ca.Client()}
	defer transport.CloseIdleConnections()
	if resp, err := (&http.Client{Transport: transport}).Get("https://" + client + "/health"); err == nil {
		resp.Body.Close()
		t.Errorf("HTTP where there is gRPC alone: %s", resp.Status)
	}
}

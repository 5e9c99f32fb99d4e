package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"vitrine/cmd/server/internal/authority"
	"vitrine/cmd/server/internal/lockpb"
	"vitrine/cmd/server/internal/port"
	"vitrine/core/pb"
)

// One holder at a time, in the order in which they asked, also when a holder's lease ends.
func TestLock(t *testing.T) {
	c := newCluster(t, 1)
	lock := func(ctx context.Context, lease int64) (*lockpb.LockResponse, error) {
		resp := &lockpb.LockResponse{}
		return resp, c.conns[0].Invoke(ctx, "/v3lockpb.Lock/Lock", &lockpb.LockRequest{Name: []byte("l"), Lease: lease}, resp)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for id := range int64(4) {
		_, err := call[pb.LeaseGrantResponse](c, 0, "/etcdserverpb.Lease/LeaseGrant",
			&pb.LeaseGrantRequest{TTL: 100, ID: id + 1})
		must(t, &id, err)
	}
	got := make(chan int64, 9)
	for id := range int64(4) {
		held := func() bool { return c.get(0, fmt.Sprintf("l/%x", id+1)) != "" || c.exists(fmt.Sprintf("l/%x", id+1)) }
		go func() {
			if _, err := lock(ctx, id+1); err == nil {
				got <- id + 1
			}
		}()
		until(t, "the key of a caller", held)
	}
	if first := <-got; first != 1 {
		t.Errorf("%d has the lock first", first)
	}
	_, err := call[pb.LeaseRevokeResponse](c, 0, "/etcdserverpb.Lease/LeaseRevoke", &pb.LeaseRevokeRequest{ID: 1})
	must(t, &err, err)
	if second := <-got; second != 2 {
		t.Errorf("%d has the lock second", second)
	}
	unlocked := &lockpb.UnlockResponse{}
	err = c.conns[0].Invoke(ctx, "/v3lockpb.Lock/Unlock", &lockpb.UnlockRequest{Key: []byte("l/2")}, unlocked)
	must(t, unlocked, err)
	if third := <-got; third != 3 || unlocked.Header.Revision == 0 {
		t.Errorf("%d has the lock third, %v", third, unlocked)
	}
	impatient, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	if _, err := lock(impatient, 4); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("who waits too long: %v", err)
	}
	if _, err := lock(ctx, 99); status.Convert(err).Message() != "etcdserver: requested lease not found" {
		t.Errorf("without a lease: %v", err)
	}
}

func (c *cluster) exists(key string) bool {
	resp, err := call[pb.RangeResponse](c, 0, "/etcdserverpb.KV/Range", &pb.RangeRequest{Key: []byte(key)})
	return err == nil && len(resp.Kvs) > 0
}

// Over TLS with certificates that name users, the gateway is not asked with one.
func TestGatewayOverTLS(t *testing.T) {
	ca := authority.New(t)
	own := ca.Issue(authority.Wish{Name: "root", Hosts: []string{"127.0.0.1"}})
	client, peer := port.Free(t), port.Free(t)
	s := start(t, "--cert-file="+own.Cert, "--key-file="+own.Key, "--client-cert-auth", "--trusted-ca-file="+ca.File,
		"--listen-client-urls=https://"+client, "--advertise-client-urls=https://"+client,
		"--listen-peer-urls=http://"+peer, "--initial-advertise-peer-urls=http://"+peer)
	post := func(path, body string, c *tls.Config) (status int, text string) {
		transport := &http.Transport{TLSClientConfig: c}
		defer transport.CloseIdleConnections()
		until(t, "an answer", func() bool {
			resp, err := (&http.Client{Transport: transport}).Post("https://"+client+path, "", strings.NewReader(body))
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			status, text = resp.StatusCode, string(b)
			return errors.Is(err, nil)
		})
		return status, text
	}
	root, nameless := ca.Client(own), ca.Client(ca.Issue(authority.Wish{}))
	for _, c := range [][2]string{{"user/add", `{"name":"root","password":"p"}`},
		{"user/grant", `{"user":"root","role":"root"}`}, {"enable", `{}`}} {
		if status, text := post("/v3/auth/"+c[0], c[1], root); status != 200 {
			t.Fatalf("%s: %d %s", c[0], status, text)
		}
	}
	until(t, "users", s.node.UsersOn)
	if status, text := post("/v3/auth/status", `{}`, root); status != 400 || !strings.Contains(text, "CommonName") {
		t.Errorf("with a name: %d %s", status, text)
	}
	if status, text := post("/v3/auth/status", `{}`, nameless); status != 200 || !strings.Contains(text, "enabled") {
		t.Errorf("without: %d %s", status, text)
	}
	if status, text := post("/v3/auth/user/list", `{}`, nameless); status != 400 || !strings.Contains(text, "user name") {
		t.Errorf("as nobody: %d %s", status, text)
	}
}

package dial

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"vitrine/cmd/server/internal/listen"
)

// What listens at a URL is reached by the same URL.
func TestURLsAreReached(t *testing.T) {
	t.Chdir(t.TempDir())
	client := &http.Client{Transport: &http.Transport{DialContext: With(&net.Dialer{Timeout: 5 * time.Second})},
		Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for _, base := range []string{"http://127.0.0.1:0", "unix://localhost:1", "unix://relative",
		"unix://" + filepath.Join(t.TempDir(), "absolute")} {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		l, err := listen.Open(*u, listen.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if u.Scheme == "http" {
			base = "http://" + l.Addr().String()
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter,
			r *http.Request) {
			fmt.Fprint(w, r.URL)
		})}
		go server.Serve(l)
		resp, err := client.Get(URL(base, "/raft/probing?x=1"))
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "/raft/probing?x=1" {
			t.Errorf("%s: %q %v", base, body, err)
		}
		server.Close()
	}
	if _, err := client.Get(URL("unix://nobody", "/")); err == nil {
		t.Error("a socket that does not exist was reached")
	}
}

package serve

import (
	"net"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"vitrine/cmd/server/internal/config"
	"vitrine/core/pb"
)

func TestLocalAddr(t *testing.T) {
	for _, c := range []struct{ urls, want string }{
		{"http://127.0.0.1:1,http://10.0.0.7:1", "10.0.0.7:0"},
		{"http://10.0.0.9:1,http://10.0.0.7:1", "10.0.0.7:0"}, // they are sorted
		{"http://[fd00::1]:1", "[fd00::1]:0"},
		{"http://0.0.0.0:1", ""},
		{"http://localhost:1", ""},
		{"unix://m1.sock:1", ""},
	} {
		var urls config.URLs
		if err := urls.Set(c.urls); err != nil {
			t.Fatal(err)
		}
		addr := localAddr(urls, zap.NewNop())
		if got := text(addr); got != c.want {
			t.Errorf("%s: %q, want %q", c.urls, got, c.want)
		}
	}
}

func text(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	return addr.String()
}

// TestStopGRPCServiceOnDefrag: the health service says when a defragmentation begins and ends, if it is asked to.
func TestStopGRPCServiceOnDefrag(t *testing.T) {
	for gate, want := range map[string]int{"true": 2, "false": 0} {
		c := newCluster(t, 1, "--feature-gates=StopGRPCServiceOnDefrag="+gate)
		core, logged := observer.New(zapcore.InfoLevel)
		c.stop(0)
		c.log = zap.New(core)
		c.restart(0)
		if _, err := call[pb.DefragmentResponse](c, 0, "/etcdserverpb.Maintenance/Defragment",
			&pb.DefragmentRequest{}); err != nil {
			t.Fatal(err)
		}
		lines := logged.FilterMessage("grpc service status changed").All()
		if len(lines) != want {
			t.Errorf("%s: told %v", gate, lines)
		} else if want == 2 && (lines[0].ContextMap()["status"] != "NOT_SERVING" ||
			lines[1].ContextMap()["status"] != "SERVING") {
			t.Errorf("told %v", lines)
		}
	}
}

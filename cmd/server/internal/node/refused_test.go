package node

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A message that raft must not see is refused by name in the log, but many of them do not fill it.
func TestRefusedMessagesAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logged := observer.New(zapcore.WarnLevel)
		cfg := testConfig(t.TempDir())
		cfg.Log = zap.New(core)
		n := open(t, cfg)
		for range 100 {
			(*peerSide)(n).Receive(&raftpb.Message{
				Type: raftpb.MsgProp.Enum(), From: new(uint64(7)), To: new(n.id), Entries: []*raftpb.Entry{{Data: []byte{0}}},
			})
			synctest.Wait()
			time.Sleep(10 * time.Millisecond)
		}
		lines := logged.FilterMessage("refused a message of a peer").All()
		if len(lines) != 1 && len(lines) != 2 {
			t.Fatalf("%d lines about 100 messages in a second", len(lines))
		}
		if err, _ := lines[0].ContextMap()["error"].(string); !strings.Contains(err, "MsgProp from 7: is no member") {
			t.Errorf("the log says %v", lines[0].ContextMap())
		}
	})
}

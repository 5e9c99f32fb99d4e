package corruption

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"vitrine/core/audit"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// alone is the only member of a cluster.
type alone struct{ kept []audit.Hash }

func (alone) ID() uint64                   { return 1 }
func (alone) ClusterID() uint64            { return 2 }
func (alone) Leader() uint64               { return 1 }
func (alone) Lives() bool                  { return true }
func (alone) Members() *membership.Members { return &membership.Members{} }
func (alone) HashKV(*pb.HashKVRequest) (*pb.HashKVResponse, error) {
	return nil, errors.New("not asked")
}
func (alone) AskOwn(context.Context, any) (any, error) { return nil, errors.New("not asked") }
func (a alone) Compactions() []audit.Hash              { return a.kept }

// TestTheEndOfACheckIsTold: operators, and etcd's tests, wait for this line. It counts what was looked at.
func TestTheEndOfACheckIsTold(t *testing.T) {
	kept := []audit.Hash{{Sum: 1, Revision: 5}, {Sum: 2, Revision: 9}}
	c := New(Config{Node: alone{kept}})
	for _, want := range []int64{1, 0} { // the newest vouches for the older one, and need not be compared again
		core, logged := observer.New(zapcore.InfoLevel)
		c.Log = zap.New(core)
		c.ofCompactions(t.Context())
		lines := logged.FilterMessage("finished compaction hash check").All()
		if len(lines) != 1 || lines[0].ContextMap()["number-of-hashes-checked"] != want {
			t.Fatalf("told %v, want one line about %d", lines, want)
		}
	}
}

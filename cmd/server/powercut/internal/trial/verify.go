package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// patience is how long a member may take to serve, to catch up, to agree. The machine may be busy.
const patience = 20 * time.Second

// verify holds every member against the history, and against one another.
func (l *life) verify() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, m := range l.machines {
		if err := l.verifyMember(ctx, m); err != nil {
			l.find(kindOther, "%s cannot be read: %v (%s)", m.name, err, m.lastWords())
		}
	}
	if len(l.machines) > 1 && !l.failed() {
		l.compareHashes(ctx)
	}
}

// verifyMember reads a member's state and all the history that it still has.
func (l *life) verifyMember(ctx context.Context, m *machine) error {
	c, err := dial(m.client)
	if err != nil {
		return err
	}
	defer c.Close()
	resp, err := c.Get(ctx, "", clientv3.WithFromKey()) // linearizable: the member must have caught up
	if err != nil {
		return err
	}
	hash, err := c.HashKV(ctx, m.client, resp.Header.Revision)
	if err != nil {
		return err
	}
	rev := resp.Header.Revision
	if from := max(hash.CompactRevision, 1) + 1; from <= rev {
		err = follow(ctx, c, from, func(at int64, events []event) error {
			if err := l.history.observe(at, events, m.name); err != nil {
				return err
			}
			if at >= rev {
				return errEnough
			}
			return nil
		})
		if contradiction := (*contradictionError)(nil); errors.As(err, &contradiction) {
			l.find(kindHistory, "%s: %v", m.name, err)
		} else if !errors.Is(err, errEnough) {
			return fmt.Errorf("history from %d to %d: %w", from, rev, err)
		}
	}
	lost, wrong := l.history.settle(rev, m.name)
	l.findSome(kindLost, lost)
	l.findSome(kindHistory, wrong)
	if l.failed() {
		return nil
	}
	have := map[string]pair{}
	for _, kv := range resp.Kvs {
		have[string(kv.Key)] = pair{put(string(kv.Key), string(kv.Value)), kv.CreateRevision, kv.ModRevision, kv.Version}
	}
	if d := l.history.differs(have); d != "" {
		l.find(kindHistory, "%s at revision %d: %s", m.name, rev, d)
	}
	return nil
}

type print struct {
	revision, compact int64
	hash              uint32
}

// compareHashes waits until all members have one revision, compaction and hash.
func (l *life) compareHashes(ctx context.Context) {
	for {
		prints := make([]print, len(l.machines))
		var failed error
		for i, m := range l.machines {
			c, err := dial(m.client)
			if err != nil {
				failed = err
				continue
			}
			resp, err := c.HashKV(ctx, m.client, 0)
			if err == nil {
				prints[i] = print{resp.Header.Revision, resp.CompactRevision, resp.Hash}
			} else {
				failed = err
			}
			c.Close()
		}
		same := failed == nil
		for _, p := range prints {
			same = same && p == prints[0]
		}
		if same {
			return
		}
		select {
		case <-ctx.Done():
			l.find(kindHash, "members do not agree: %+v %v", prints, failed)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

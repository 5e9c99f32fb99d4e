package corruption

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
	"vitrine/core/audit"
	"vitrine/core/limits"
	"vitrine/core/membership"
	"vitrine/core/pb"
)

// Node is the member that checks.
type Node interface {
	ID() uint64
	ClusterID() uint64
	Leader() uint64
	Members() *membership.Members
	// HashKV hashes the member's own keys, without asking whether it may.
	HashKV(*pb.HashKVRequest) (*pb.HashKVResponse, error)
	// Compactions are the sums that the last compactions have left, the oldest first.
	Compactions() []audit.Hash
	// Lives tells whether there is any pair.
	Lives() bool
	AskOwn(ctx context.Context, body any) (any, error)
}

// Config is what a Checker is made of.
type Config struct {
	Node    Node
	Client  *http.Client // asks peers
	Timeout time.Duration
	Log     *zap.Logger
}

// Times are how long it is from one check to the next; 0 = that one is not made.
type Times struct{ Leading, Compactions time.Duration }

// Checker checks.
type Checker struct {
	Config
	compactions audit.Compactions
}

// New makes a Checker.
func New(c Config) *Checker { return &Checker{Config: c} }

// Run checks until stopping is closed.
func (c *Checker) Run(stopping <-chan struct{}, t Times) {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, check := range []struct {
		every time.Duration
		run   func(context.Context)
	}{{t.Leading, c.whileLeading}, {t.Compactions, c.ofCompactions}} {
		if check.every <= 0 {
			continue
		}
		wg.Go(func() {
			ticker := time.NewTicker(check.every)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				if c.Node.Leader() == c.Node.ID() {
					check.run(ctx)
				}
			}
		})
	}
	<-stopping
}

// AtStart compares this member, which does not serve yet, with those that answer.
func (c *Checker) AtStart(ctx context.Context) error {
	own, err := c.own()
	if err != nil {
		return err
	}
	c.Log.Info("starting initial corruption check", c.self(), zap.Duration("timeout", c.Timeout))
	answers := c.ask(ctx, own.Revision)
	for _, a := range answers {
		switch {
		case a.Err != nil:
			c.Log.Warn("a member is left out of the initial corruption check", peerID(a.Member), zap.Error(a.Err))
		case a.Hash.Compact != own.Compact:
			c.Log.Warn("found different compact revision values from remote peer", peerID(a.Member),
				zap.Int64("local-member-compact-revision", own.Compact),
				zap.Int64("remote-peer-compact-revision", a.Hash.Compact))
		}
	}
	if err := audit.AtStart(c.Node.ID(), own, c.Node.Lives(), answers); err != nil {
		return err
	}
	c.Log.Info("initial corruption checking passed; no corruption", c.self())
	return nil
}

// whileLeading compares the newest revision of this member, which leads, with the others'.
func (c *Checker) whileLeading(ctx context.Context) {
	before, err := c.own()
	if err != nil {
		c.Log.Warn("cannot check for corruption", zap.Error(err))
		return
	}
	answers := c.ask(ctx, before.Revision)
	// What the others had has been committed before; after this read this member has it, too.
	if _, err := c.Node.AskOwn(ctx, &pb.MemberListRequest{Linearizable: true}); err != nil {
		c.Log.Warn("cannot check for corruption", zap.Error(err))
		return
	}
	after, err := c.own()
	if err != nil {
		c.Log.Warn("cannot check for corruption", zap.Error(err))
		return
	}
	if culprit := audit.WhileLeading(c.Node.ID(), before, after, answers); culprit != nil {
		c.alarm(ctx, *culprit)
		return
	}
	c.Log.Info("finished peer corruption check", zap.Int("number-of-peers-checked", compared(answers)))
}

// ofCompactions compares the sums of the compactions that are not known to agree.
func (c *Checker) ofCompactions(ctx context.Context) {
	look := &c.compactions
	look.Begin(c.Node.Compactions())
	for own, ok := look.Next(); ok; own, ok = look.Next() {
		culprits, agree := look.Judge(c.Node.ID(), c.ask(ctx, own.Revision))
		for _, culprit := range culprits {
			c.alarm(ctx, culprit)
		}
		if agree {
			c.Log.Info("successfully checked hash on whole cluster", zap.Int64("revision", own.Revision))
		}
	}
	c.Log.Info("finished compaction hash check", zap.Int("number-of-hashes-checked", look.Looked))
}

// alarm raises CORRUPT about a member.
func (c *Checker) alarm(ctx context.Context, culprit audit.Culprit) {
	c.Log.Error("corruption detected", zap.String("corrupted-member-id", membership.IDString(culprit.Member)),
		zap.String("reason", culprit.Why))
	if _, err := c.Node.AskOwn(ctx, culprit.Alarm()); err != nil {
		c.Log.Warn("cannot raise the alarm about corruption", zap.Error(err))
	}
}

func (c *Checker) own() (audit.Hash, error) {
	r, err := c.Node.HashKV(audit.Question(0))
	if err != nil {
		return audit.Hash{}, err
	}
	return audit.HashOf(r), nil
}

// ask asks all other members for their hash at a revision.
func (c *Checker) ask(ctx context.Context, rev int64) []audit.Answer {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	others := slices.DeleteFunc(slices.Clone(c.Node.Members().List()), func(m *membership.Member) bool {
		return m.ID == c.Node.ID()
	})
	answers := make([]audit.Answer, len(others))
	var wg sync.WaitGroup
	for i, m := range others {
		answers[i] = audit.Answer{Member: m.ID, Err: errors.New("the member has no peer URL")}
		wg.Go(func() {
			a := &answers[i]
			for _, u := range m.PeerURLs {
				if a.Hash, a.Err = c.askAt(ctx, u, rev); a.Err == nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return answers
}

func (c *Checker) askAt(ctx context.Context, base string, rev int64) (h audit.Hash, err error) {
	question, err := json.Marshal(audit.Question(rev))
	if err != nil {
		return h, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, dial.URL(base, "/members/hashkv"),
		bytes.NewReader(question))
	if err != nil {
		return h, err
	}
	req.Header.Set("X-Etcd-Cluster-ID", membership.IDString(c.Node.ClusterID()))
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Client.Do(req)
	if err != nil {
		return h, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, limits.QuestionBytes))
	if err != nil {
		return h, err
	}
	if resp.StatusCode != http.StatusOK {
		return h, fmt.Errorf("%s: %.200s", resp.Status, strings.TrimSpace(string(body)))
	}
	r := &pb.HashKVResponse{}
	if err := json.Unmarshal(body, r); err != nil {
		return h, fmt.Errorf("the answer cannot be read: %w", err)
	}
	return audit.HashOf(r), nil
}

func (c *Checker) self() zap.Field {
	return zap.String("local-member-id", membership.IDString(c.Node.ID()))
}

func peerID(id uint64) zap.Field { return zap.String("remote-peer-id", membership.IDString(id)) }

func compared(answers []audit.Answer) (n int) {
	for _, a := range answers {
		if a.Err == nil {
			n++
		}
	}
	return n
}

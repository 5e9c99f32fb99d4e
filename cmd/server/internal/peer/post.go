package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"vitrine/cmd/server/internal/dial"
	"vitrine/core/limits"
)

// pipeline posts messages one by one while there is no stream for them. Several run beside one another, so posted
// messages may overtake each other; raft allows that. A message is tried once: when the answer is an error it may have
// arrived all the same, and raft decides whether it is sent again.
func (p *peer) pipeline() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case m := <-p.posts:
			b, err := appendMessage(make([]byte, 0, messageSize(m)), m)
			if err == nil {
				ctx, cancel := context.WithTimeout(p.ctx, postTimeout)
				err = p.post(ctx, "/raft", "application/protobuf", bytes.NewReader(b))
				cancel()
			}
			if err == nil {
				p.status.activate()
				p.t.m.sentBytes.WithLabelValues(ID(p.id)).Add(float64(len(b)))
				continue
			}
			if p.ctx.Err() != nil {
				return
			}
			p.status.deactivate("pipeline", err)
			p.t.m.sendFailed.WithLabelValues(ID(p.id)).Inc()
			p.t.cfg.Member.Dropped(m, "down")
			p.t.cfg.Member.Unreachable(p.id)
			if m.GetType() == raftpb.MsgSnap {
				p.t.cfg.Member.SnapshotSent(p.id, false)
			}
		}
	}
}

// post sends one body and expects 204.
func (p *peer) post(ctx context.Context, path, contentType string, body io.Reader) error {
	u := p.urls.pick()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, dial.URL(u, path), body)
	if err != nil {
		return err
	}
	p.t.sign(req)
	req.Header.Set("Content-Type", contentType)
	resp, err := p.t.posts.RoundTrip(req)
	if err != nil {
		p.urls.unreachable(u)
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		p.urls.unreachable(u)
		return err
	}
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusPreconditionFailed:
		err = p.t.precondition(p.id, resp, text)
	case http.StatusForbidden:
		err = errExpelled
		p.t.cfg.Member.Expelled(p.id)
	default:
		err = fmt.Errorf("unexpected http status %s while posting to %q: %s", resp.Status, u+path,
			strings.TrimSpace(string(text)))
	}
	p.urls.unreachable(u)
	return err
}

// sendSnapshot posts the message and then the database it stands for, in one body.
//
// The peer answers when it has saved the database durably and taken the message, so a success says that it will install
// it. A failure may come after the peer has saved everything, when only the answer is lost; raft then probes, and the
// peer's own answer to the message tells that it has arrived.
func (p *peer) sendSnapshot(m *raftpb.Message, image Image) {
	start := time.Now()
	to := ID(p.id)
	log := p.t.log.With(zap.Uint64("snapshot-index", m.GetSnapshot().GetMetadata().GetIndex()),
		zap.String("remote-peer-id", to), zap.Int64("bytes", image.Size()))
	log.Info("sending database snapshot")
	p.t.m.snapshotSending.WithLabelValues(to).Inc()
	defer p.t.m.snapshotSending.WithLabelValues(to).Dec()

	head, err := appendFrame(nil, m)
	if err == nil {
		pr, pw := io.Pipe()
		var writer sync.WaitGroup
		writer.Go(func() {
			_, werr := image.WriteTo(pw)
			pw.CloseWithError(werr)
		})
		err = p.post(p.ctx, "/raft/snapshot", "application/octet-stream", io.MultiReader(bytes.NewReader(head), pr))
		// frees the writer, if the peer did not read to the end
		pr.CloseWithError(errors.New("peer: snapshot request is over"))
		writer.Wait() // the image is closed by our caller, so nobody may read it any more
	}
	if err != nil {
		log.Warn("failed to send database snapshot", zap.Error(err))
		p.status.deactivate("snapshot", err)
		p.t.m.sendFailed.WithLabelValues(to).Inc()
		p.t.m.snapshotSendFailed.WithLabelValues(to).Inc()
		p.t.cfg.Member.Dropped(m, "down")
		p.t.cfg.Member.Unreachable(p.id)
		p.t.cfg.Member.SnapshotSent(p.id, false)
		return
	}
	p.status.activate()
	p.t.cfg.Member.SnapshotSent(p.id, true)
	log.Info("sent database snapshot", zap.Duration("took", time.Since(start)))
	p.t.m.sentBytes.WithLabelValues(to).Add(float64(image.Size()))
	p.t.m.snapshotSent.WithLabelValues(to).Inc()
	p.t.m.snapshotSendSeconds.WithLabelValues(to).Observe(time.Since(start).Seconds())
}

// probed is the answer to a probe, in the words of the library that etcd uses for it.
type probed struct {
	OK  bool
	Now time.Time
}

// probe measures round trips.
func (p *peer) probe() {
	rtt := p.t.m.roundTrip.WithLabelValues(ID(p.id))
	for p.pause(probeInterval) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(p.ctx, readTimeout)
		if err := p.probeOnce(ctx); err == nil {
			took := time.Since(start)
			rtt.Observe(took.Seconds())
			p.trips.add(took)
		} else if p.trips.fail(); p.ctx.Err() == nil && p.status.active() {
			p.t.log.Warn("prober detected unhealthy status", zap.String("remote-peer-id", ID(p.id)), zap.Error(err))
		}
		cancel()
	}
}

func (p *peer) probeOnce(ctx context.Context) error {
	u := p.urls.pick()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, dial.URL(u, "/raft/probing"), nil)
	if err != nil {
		return err
	}
	resp, err := p.t.posts.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var got probed
	if err := json.NewDecoder(io.LimitReader(resp.Body, limits.PeerAnswerBytes)).Decode(&got); err != nil {
		return err
	}
	if !got.OK {
		return errors.New("peer: probe answered not ok")
	}
	return nil
}

package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"vitrine/cmd/server/internal/tasks"
	"vitrine/core/api"
	"vitrine/core/pb"
)

// roster is which proxies there are: keys under a prefix, as etcd's clients of naming know them, each with the lease of
// its proxy.
//
//	PREFIX/ADDRESS   {"Op":0,"Addr":"ADDRESS","Metadata":"{\"name\":\"HOST\"}"}
type roster struct {
	p       *Proxy
	running sync.WaitGroup

	mu      sync.Mutex
	proxies map[string]*pb.Member // by key
}

// entry is the value of such a key.
type entry struct {
	Op       uint8
	Addr     string
	Metadata any
}

// about is what stands in an entry, as text.
type about struct {
	Name string `json:"name"`
}

const (
	// rosterPause is the wait between two attempts, rosterTimeout bounds each of their calls.
	rosterPause   = time.Second
	rosterTimeout = 5 * time.Second
)

// register begins to keep this proxy's own key, and to follow those of others. nil: there is no roster.
func (p *Proxy) register() *roster {
	if p.cfg.ResolverPrefix == "" || p.cfg.AdvertiseURL == "" {
		return nil
	}
	r := &roster{p: p, proxies: map[string]*pb.Member{}}
	for _, run := range []func() error{r.stay, r.follow} {
		r.running.Go(func() {
			for p.ctx.Err() == nil {
				if err := run(); p.ctx.Err() == nil {
					p.log.Warn("the register of proxies was lost and is begun again",
						zap.String("prefix", p.cfg.ResolverPrefix), zap.Error(err))
				}
				tasks.Sleep(rosterPause, p.ctx.Done())
			}
		})
	}
	return r
}

// leave waits until the registration is taken back. The proxy has ended its context.
func (r *roster) leave() {
	if r != nil {
		r.running.Wait()
	}
}

// ask makes a call through this proxy itself, as a client would.
func (r *roster) ask(ctx context.Context, o api.Operation, request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, rosterTimeout)
	defer cancel()
	return r.p.self.Invoke(ctx, o.Method(), request, answer)
}

var streaming = &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

// stay registers this proxy, until its lease is lost or the proxy stops.
func (r *roster) stay() error {
	cfg, lease := &r.p.cfg, &pb.LeaseGrantResponse{}
	if err := r.ask(r.p.ctx, api.LeaseGrant, &pb.LeaseGrantRequest{TTL: cfg.ResolverTTL}, lease); err != nil {
		return err
	}
	defer func() { // also when the proxy stops, whose context has ended then
		revoke := &pb.LeaseRevokeRequest{ID: lease.ID}
		_ = r.ask(context.WithoutCancel(r.p.ctx), api.LeaseRevoke, revoke, &pb.LeaseRevokeResponse{})
	}()
	host, _ := os.Hostname()
	text, err := json.Marshal(about{host})
	if err != nil {
		return err
	}
	value, err := json.Marshal(entry{Addr: cfg.AdvertiseURL, Metadata: string(text)})
	if err != nil {
		return err
	}
	put := &pb.PutRequest{Key: []byte(cfg.ResolverPrefix + "/" + cfg.AdvertiseURL), Value: value, Lease: lease.ID}
	if err := r.ask(r.p.ctx, api.Put, put, &pb.PutResponse{}); err != nil {
		return err
	}
	r.p.log.Info("registered session with lease", zap.String("addr", cfg.AdvertiseURL),
		zap.Int64("lease-ttl", cfg.ResolverTTL))
	s, err := r.p.self.NewStream(r.p.ctx, streaming, api.LeaseKeepAlive.Method())
	if err != nil {
		return err
	}
	for {
		if err := s.SendMsg(&pb.LeaseKeepAliveRequest{ID: lease.ID}); err != nil {
			return err
		}
		a := &pb.LeaseKeepAliveResponse{}
		if err := s.RecvMsg(a); err != nil {
			return err
		}
		if a.TTL <= 0 {
			return errors.New("the lease has run out")
		}
		if !tasks.Sleep(time.Duration(a.TTL)*time.Second/3, r.p.ctx.Done()) {
			return nil
		}
	}
}

// follow reads all keys, and then what changes.
func (r *roster) follow() error {
	from := []byte(r.p.cfg.ResolverPrefix + "/")
	to := slices.Clone(from)
	to[len(to)-1]++
	all := &pb.RangeResponse{}
	if err := r.ask(r.p.ctx, api.Range, &pb.RangeRequest{Key: from, RangeEnd: to}, all); err != nil {
		return err
	}
	r.mu.Lock()
	clear(r.proxies)
	r.mu.Unlock()
	for _, kv := range all.Kvs {
		r.note(kv, false)
	}
	ctx, cancel := context.WithCancel(r.p.ctx)
	defer cancel()
	s, err := r.p.self.NewStream(ctx, streaming, api.Watch.Method())
	if err != nil {
		return err
	}
	create := &pb.WatchCreateRequest{Key: from, RangeEnd: to, StartRevision: all.Header.GetRevision() + 1}
	err = s.SendMsg(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
	for err == nil {
		seen := &pb.WatchResponse{}
		if err = s.RecvMsg(seen); err == nil && seen.Canceled {
			err = fmt.Errorf("the watch was cancelled: %s", seen.CancelReason)
		}
		for _, e := range seen.Events {
			r.note(e.Kv, e.Type == pb.Event_DELETE)
		}
	}
	return err
}

func (r *roster) note(kv *pb.KeyValue, gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if gone {
		delete(r.proxies, string(kv.Key))
		return
	}
	var e entry
	if err := json.Unmarshal(kv.Value, &e); err != nil {
		r.p.log.Warn("unmarshal endpoint update failed", zap.ByteString("key", kv.Key), zap.Error(err))
		return
	}
	var a about
	if text, ok := e.Metadata.(string); ok {
		_ = json.Unmarshal([]byte(text), &a) // who registers without a name has none
	}
	r.proxies[string(kv.Key)] = &pb.Member{Name: a.Name, ClientURLs: []string{e.Addr}}
}

// list is those proxies, in the order of their keys.
func (r *roster) list() []*pb.Member {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*pb.Member
	for _, key := range slices.Sorted(maps.Keys(r.proxies)) {
		out = append(out, r.proxies[key])
	}
	return out
}

// memberList sends clients to the proxies, unless they are to know the members.
func (p *Proxy) memberList(c *call, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	if p.cfg.AdvertiseURL == "" {
		answer := &pb.MemberListResponse{}
		err := p.cluster.Ask(c.asked(), c.method, r, answer, true)
		return answer, err
	}
	if proxies := p.roster.list(); len(proxies) > 0 {
		return &pb.MemberListResponse{Members: proxies}, nil
	}
	host, _ := os.Hostname()
	return &pb.MemberListResponse{Members: []*pb.Member{{Name: host, ClientURLs: []string{p.cfg.AdvertiseURL}}}}, nil
}

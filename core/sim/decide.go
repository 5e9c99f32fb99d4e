package sim

import (
	"fmt"
	"strconv"

	"vitrine/core/pb"
)

// What the simulated clients do by themselves is drawn from the seed, one after
// another, so that nothing can be left out. Recorded as commands it becomes a
// list of decisions, and the same events follow from the list as from the dice.

// keep records a decision of a client.
func (w *World) keep(c Command) {
	if w.cfg.Record {
		w.commands = append(w.commands, Timed{At: w.now, Command: c})
	}
}

// decided records a request of a client that began at the node of that index.
func (w *World) decided(c *client, body any, node int) {
	if !w.cfg.Record {
		return
	}
	cmd := commandOf(body)
	cmd.Client, cmd.Member = c.id, uint64(node+1)
	w.keep(cmd)
}

// free reports whether a simulated client can do this now: it asks one thing at
// a time and holds few watches.
func (w *World) free(c *Command) error {
	x := w.clients[c.Client]
	switch c.Cmd {
	case "put", "get", "delete", "txn", "compact", "alarm", "move-leader", "status", "hash", "hash-kv", "members":
		if x.request >= 0 {
			return fmt.Errorf("sim: %s: client %d waits for an answer", c.Cmd, c.Client)
		}
	case "watch":
		if x.stream != nil && !x.stream.closed && len(x.stream.watchers) >= maxWatchers {
			return fmt.Errorf("sim: watch: client %d has %d watches", c.Client, maxWatchers)
		}
	case "cancel-watch", "end-stream", "hang-up", "vanish", "ask-progress":
		if x.stream == nil || x.stream.closed {
			return fmt.Errorf("sim: %s: client %d has no watch", c.Cmd, c.Client)
		}
	default:
		return fmt.Errorf("sim: %s is not for clients", c.Cmd)
	}
	return nil
}

// performDecision makes a simulated client do what a command says. Its own
// events tell; the command leaves none.
func (w *World) performDecision(c *Command) error {
	x := w.clients[c.Client]
	switch c.Cmd {
	case "cancel-watch":
		w.cancelNumber(x.stream, c.ID)
		return nil
	case "end-stream":
		w.closeStream(x.stream)
		return nil
	case "ask-progress":
		w.askProgress(x.stream)
		return nil
	case "hang-up", "vanish":
		w.breakStream(x.stream, c.Cmd == brokenHow(true))
		return nil
	}
	op, body, err := requestOf(c, x.lastRev)
	if err != nil {
		return err
	}
	if c.Member != 0 {
		x.next = int(c.Member) - 1
	}
	key := c.firstKey()
	words := opNames[op]
	if op.keyed() {
		words += " " + key
	}
	if create, ok := body.(*pb.WatchCreateRequest); ok {
		w.watch(x, create, c.Leader, words, -1)
		return nil
	}
	x.request = w.issue(x, op, body, words, key, -1, w.patience())
	return nil
}

func brokenHow(heard bool) string {
	if heard {
		return "hang-up"
	}
	return "vanish"
}

// firstKey is the key that a request is mostly about.
func (c *Command) firstKey() string {
	switch {
	case c.Key != "" || c.Cmd != "txn":
		return c.Key
	case len(c.If) > 0:
		return c.If[0].Key
	case len(c.Then) > 0:
		return c.Then[0].firstKey()
	case len(c.Else) > 0:
		return c.Else[0].firstKey()
	}
	return ""
}

// firstKeyOf is firstKey of the command of a transaction.
func firstKeyOf(t *pb.TxnRequest) string {
	if len(t.Compare) > 0 {
		return string(t.Compare[0].Key)
	}
	for _, ops := range [][]*pb.RequestOp{t.Success, t.Failure} {
		if len(ops) == 0 {
			continue
		}
		if nested := ops[0].GetRequestTxn(); nested != nil {
			return firstKeyOf(nested)
		}
		c := commandsOf(ops[:1])
		return c[0].Key
	}
	return ""
}

// bytesOf is nil for nothing, as it comes off the wire.
func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

var sortTargets = map[string]pb.RangeRequest_SortTarget{
	"": pb.RangeRequest_KEY, "version": pb.RangeRequest_VERSION, "create": pb.RangeRequest_CREATE, "mod": pb.RangeRequest_MOD, "value": pb.RangeRequest_VALUE,
}

var (
	sortNames  = [...]string{"", "version", "create", "mod", "value"}
	orderNames = [...]string{"", "ascend", "descend"}
)

var filters = map[string]pb.WatchCreateRequest_FilterType{
	"no-put": pb.WatchCreateRequest_NOPUT, "no-delete": pb.WatchCreateRequest_NODELETE,
}

var filterNames = [...]string{"no-put", "no-delete"}

// commandOf is the opposite of requestOf.
func commandOf(body any) Command {
	if c, ok := commandOfCall(body); ok {
		return c
	}
	switch r := body.(type) {
	case *pb.PutRequest:
		return Command{Cmd: "put", Key: string(r.Key), Value: string(r.Value), PrevKV: r.PrevKv, IgnoreValue: r.IgnoreValue}
	case *pb.RangeRequest:
		return Command{
			Cmd: "get", Key: string(r.Key), End: string(r.RangeEnd), Limit: r.Limit, Rev: r.Revision,
			Order: orderNames[r.SortOrder], By: sortNames[r.SortTarget],
			Serializable: r.Serializable, KeysOnly: r.KeysOnly, CountOnly: r.CountOnly,
			MinMod: r.MinModRevision, MaxMod: r.MaxModRevision, MinCreate: r.MinCreateRevision, MaxCreate: r.MaxCreateRevision,
		}
	case *pb.DeleteRangeRequest:
		return Command{Cmd: "delete", Key: string(r.Key), End: string(r.RangeEnd), PrevKV: r.PrevKv}
	case *pb.CompactionRequest:
		return Command{Cmd: "compact", Rev: r.Revision, Physical: r.Physical}
	case *pb.WatchCreateRequest:
		c := Command{
			Cmd: "watch", Key: string(r.Key), End: string(r.RangeEnd), Rev: r.StartRevision, PrevKV: r.PrevKv, Progress: r.ProgressNotify,
			Fragment: r.Fragment, ID: r.WatchId,
		}
		for i, f := range r.Filters {
			if i > 0 {
				c.Filter += ","
			}
			c.Filter += filterNames[f]
		}
		return c
	case *pb.TxnRequest:
		c := Command{Cmd: "txn", Then: commandsOf(r.Success), Else: commandsOf(r.Failure)}
		for _, x := range r.Compare {
			c.If = append(c.If, compareText(x))
		}
		return c
	}
	panic(fmt.Sprintf("sim: a %T is no decision", body))
}

func commandsOf(ops []*pb.RequestOp) (list []Command) {
	for _, op := range ops {
		switch r := op.Request.(type) {
		case *pb.RequestOp_RequestPut:
			list = append(list, commandOf(r.RequestPut))
		case *pb.RequestOp_RequestRange:
			list = append(list, commandOf(r.RequestRange))
		case *pb.RequestOp_RequestDeleteRange:
			list = append(list, commandOf(r.RequestDeleteRange))
		case *pb.RequestOp_RequestTxn:
			list = append(list, commandOf(r.RequestTxn))
		}
	}
	return list
}

// compareText is the opposite of compareOf.
func compareText(x *pb.Compare) Compare {
	c := Compare{Key: string(x.Key), End: string(x.RangeEnd), Op: map[pb.Compare_CompareResult]string{pb.Compare_EQUAL: "=", pb.Compare_NOT_EQUAL: "!=", pb.Compare_GREATER: ">", pb.Compare_LESS: "<"}[x.Result]}
	switch v := x.TargetUnion.(type) {
	case *pb.Compare_Value:
		c.Target, c.Value = "value", string(v.Value)
	case *pb.Compare_Version:
		c.Target, c.Value = "version", strconv.FormatInt(v.Version, 10)
	case *pb.Compare_CreateRevision:
		c.Target, c.Value = "create", strconv.FormatInt(v.CreateRevision, 10)
	case *pb.Compare_ModRevision:
		c.Target, c.Value = "mod", strconv.FormatInt(v.ModRevision, 10)
	case *pb.Compare_Lease:
		c.Target, c.Value = "lease", strconv.FormatInt(v.Lease, 10)
	}
	return c
}

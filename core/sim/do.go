package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitrine/core/member"
	"vitrine/core/pb"
	"vitrine/core/trace"
)

// perform executes a command at the present moment. The trace event that it
// writes is the cause of what follows.
func (w *World) perform(c *Command, fault bool) (request uint64, err error) {
	if err := w.valid(c); err != nil {
		return 0, err
	}
	if err := w.possible(c); err != nil {
		return 0, err
	}
	kind := trace.Command
	if fault {
		kind = trace.Fault
	}
	if c.Client != 0 {
		return 0, w.performDecision(c)
	}
	cause := w.emit(trace.Event{Kind: kind, Member: c.Member, Text: c.String()})
	switch c.Cmd {
	case "crash", "restart", "pause", "resume", "campaign", "transfer", "stall", "fail", "clock", "strike", "defragment", "garble":
		w.performProcess(c, cause)
	case "rot":
		return 0, w.rot(c)
	case "isolate", "cut", "heal", "heal-all":
		w.performNetwork(c, cause)
	case "set":
		return 0, w.set(c)
	case "cancel-watch":
		w.closeStream(w.watchToCancel(c).on)
	default:
		return w.performRequest(c)
	}
	return 0, nil
}

// valid refuses a command that makes no sense in any world of this size.
func (w *World) valid(c *Command) error {
	if !verbs[c.Cmd] {
		return fmt.Errorf("sim: unknown command %q", c.Cmd)
	}
	if c.Client < 0 || c.Client >= len(w.clients) {
		return fmt.Errorf("sim: %s: there is no client %d", c.Cmd, c.Client)
	}
	if c.Member != 0 && w.byID(c.Member) == nil {
		return fmt.Errorf("sim: %s: there is no member %d", c.Cmd, c.Member)
	}
	for _, ids := range [][]uint64{c.From, c.To} {
		for _, id := range ids {
			if w.byID(id) == nil {
				return fmt.Errorf("sim: %s: there is no member %d", c.Cmd, id)
			}
		}
	}
	switch c.Cmd {
	case "crash", "restart", "pause", "resume", "isolate", "campaign", "transfer", "stall", "fail", "rot", "clock", "strike", "defragment", "garble":
		if c.Member == 0 {
			return fmt.Errorf("sim: %s: which member?", c.Cmd)
		}
	case "cut":
		if len(c.From) == 0 || len(c.To) == 0 {
			return fmt.Errorf("sim: cut: from and to, please")
		}
		for _, id := range c.From {
			if slices.Contains(c.To, id) {
				return fmt.Errorf("sim: cut: member %d is on both sides", id)
			}
		}
	case "put", "get", "delete", "txn", "compact", "watch", "alarm", "move-leader", "status", "hash", "hash-kv", "members":
		_, _, err := requestOf(c, 0)
		return err
	case "hang-up", "vanish", "ask-progress", "end-stream":
		if c.Client == 0 {
			return fmt.Errorf("sim: %s: which client?", c.Cmd)
		}
	case "set":
		_, err := w.setting(c)
		return err
	}
	switch {
	case c.Cmd == "crash" && (c.Torn < 0 || c.Torn > 100):
		return fmt.Errorf("sim: crash: torn = %d: want a percentage", c.Torn)
	case c.Cmd == "fail" && (!slices.Contains(diskErrorNames[:], c.Name) || c.Rev < 0):
		return fmt.Errorf("sim: fail: a disk cannot fail to %q", c.Name)
	case c.Cmd == "rot" && (!slices.Contains(rotNames[:], c.Name) || c.Rev < 0 || c.Limit < 0):
		return fmt.Errorf("sim: rot: a log does not decay by %q", c.Name)
	case c.Cmd == "clock" && c.Name == "step":
		if _, err := parseDuration(c.Value); err != nil {
			return fmt.Errorf("sim: clock: step %q is not a duration", c.Value)
		}
	case c.Cmd == "clock":
		_, err := clockRate(c)
		return err
	case c.Cmd == "strike":
		return validStrike(c)
	case c.Cmd == "garble" && (c.Rev < 0 || c.Limit < 0):
		return fmt.Errorf("sim: garble: rev = %d, limit = %d: want a byte and a bit", c.Rev, c.Limit)
	}
	if c.Cmd == "stall" {
		if d, err := parseDuration(c.Value); err != nil || d < 0 {
			return fmt.Errorf("sim: stall: value %q is not a duration", c.Value)
		}
	}
	return nil
}

// possible refuses a command that makes no sense at the moment. What is refused
// leaves no trace.
func (w *World) possible(c *Command) error {
	n, ok := w.byID(c.Member), true
	if c.Client != 0 {
		return w.free(c)
	}
	switch c.Cmd {
	case "crash":
		ok = n.alive()
	case "restart":
		ok = !n.alive() && n.process != starting
	case "pause", "campaign":
		ok = n.process == running
	case "defragment":
		if ok = n.process == running; ok && (n.defrag != nil || n.defragDue) {
			return fmt.Errorf("sim: defragment: member %d does already", n.id)
		}
	case "resume":
		ok = n.process == paused
	case "fail":
		if n.wear.armed[slices.Index(diskErrorNames[:], c.Name)] > 0 {
			return fmt.Errorf("sim: fail: the disk of member %d waits to fail already", n.id)
		}
	case "transfer":
		if leader := w.leader(); leader == nil || leader.process != running {
			return fmt.Errorf("sim: transfer: there is no leader")
		}
	case "cancel-watch":
		if w.watchToCancel(c) == nil {
			return fmt.Errorf("sim: cancel-watch: there is no such watch")
		}
	}
	if !ok {
		return fmt.Errorf("sim: %s: member %d is %s", c.Cmd, n.id, processNames[n.process])
	}
	return nil
}

func (w *World) performProcess(c *Command, cause uint64) {
	n := w.byID(c.Member)
	switch c.Cmd {
	case "crash":
		w.crash(n, c, cause)
	case "restart":
		w.start(n)
	case "pause":
		w.pause(n, cause)
	case "resume":
		w.resume(n, cause)
	case "campaign":
		w.step(n, &member.Input{Kind: member.Campaign, Cause: cause})
	case "transfer":
		w.step(w.leader(), &member.Input{Kind: member.TransferLeadership, Peer: n.id, Cause: cause})
	case "stall":
		d, _ := parseDuration(c.Value) // it was valid
		n.busy.hungUntil = max(n.busy.hungUntil, w.now+int64(d))
	case "fail":
		w.fail(c)
	case "clock":
		w.turnClock(c)
	case "strike":
		w.strike(c, cause)
	case "defragment":
		w.beginDefrag(n)
	case "garble":
		n.garbled = new(*c)
	}
}

// start brings a process up after the time it takes.
func (w *World) start(n *node) {
	n.process, n.reason = starting, ""
	w.q.push(event{at: w.now + int64(w.cfg.Process.Restart), kind: evBoot, node: uint8(n.ix), life: n.life})
}

func (w *World) performNetwork(c *Command, cause uint64) {
	switch c.Cmd {
	case "isolate":
		n := w.byID(c.Member)
		for _, other := range w.nodes {
			if other != n {
				w.setCut(n, other, true, cause)
				w.setCut(other, n, true, cause)
			}
		}
	case "cut":
		w.setCuts(c, true, cause)
	case "heal":
		switch {
		case len(c.From) > 0 && len(c.To) > 0:
			w.setCuts(c, false, cause)
		default:
			for _, from := range w.nodes {
				for _, to := range w.nodes {
					if from != to && (c.Member == 0 || from.id == c.Member || to.id == c.Member) {
						w.setCut(from, to, false, cause)
					}
				}
			}
		}
	case "heal-all":
		w.healAll(cause)
	}
}

func (w *World) setCuts(c *Command, cut bool, cause uint64) {
	for _, from := range c.From {
		for _, to := range c.To {
			if from == to {
				continue
			}
			w.setCut(w.byID(from), w.byID(to), cut, cause)
			if !c.OneWay {
				w.setCut(w.byID(to), w.byID(from), cut, cause)
			}
		}
	}
}

// healAll takes back everything that can be: cuts, pauses and stalls. What is
// dead stays dead.
func (w *World) healAll(cause uint64) {
	for _, from := range w.nodes {
		for _, to := range w.nodes {
			if from != to {
				w.setCut(from, to, false, cause)
			}
		}
	}
	for _, n := range w.nodes {
		n.busy.hungUntil = min(n.busy.hungUntil, w.now)
		if n.process == paused {
			w.resume(n, cause)
		}
	}
}

// set turns a dial of the whole world, or of one member's disk.
func (w *World) set(c *Command) error {
	v, err := w.setting(c)
	if err != nil {
		return err
	}
	switch c.Name {
	case "network":
		v.network.Loss, v.network.Duplicate = w.net.Loss, w.net.Duplicate
		w.net = v.network
	case "loss":
		w.net.Loss = v.number
	case "duplicate":
		w.net.Duplicate = v.number
	case "latency":
		w.net.Base, w.net.Uniform = v.time, min(w.net.Uniform, v.time)
	case "jitter":
		w.net.Jitter = v.time
	case "client-latency":
		w.net.Client = v.time
	case "write":
		w.eachDisk(c.Member, func(x *Disk) { x.Write = v.time })
	case "fsync":
		w.eachDisk(c.Member, func(x *Disk) { x.Fsync = v.time })
	case "spike":
		w.eachDisk(c.Member, func(x *Disk) { x.Spike = v.time })
	case "spike-probability":
		w.eachDisk(c.Member, func(x *Disk) { x.SpikeProb = v.number })
	case "apply":
		w.process.Apply = v.time
	case "rate":
		w.load.setRate(v.number)
		w.wake()
	}
	return nil
}

// dialValue is the value of a set command in its form.
type dialValue struct {
	network Network
	number  float64
	time    time.Duration
}

func (w *World) setting(c *Command) (v dialValue, err error) {
	form := ""
	for _, s := range Settings() {
		if s.Name == c.Name {
			form = s.Form
		}
	}
	switch form {
	case "preset":
		v.network, err = Preset(c.Value)
		return v, err
	case "probability":
		if v.number, err = strconv.ParseFloat(c.Value, 64); err == nil && !bad01(v.number) {
			return v, nil
		}
	case "number":
		if v.number, err = strconv.ParseFloat(c.Value, 64); err == nil && v.number >= 0 && v.number <= maxRate {
			return v, nil
		}
	case "duration":
		if v.time, err = parseDuration(c.Value); err == nil && v.time >= 0 && v.time <= time.Hour {
			return v, nil
		}
	default:
		return v, fmt.Errorf("sim: set: there is no setting %q", c.Name)
	}
	return v, fmt.Errorf("sim: set %s: %q is not a %s", c.Name, c.Value, form)
}

// maxRate bounds the load, in operations a simulated second.
const maxRate = 100_000

func (w *World) eachDisk(id uint64, turn func(*Disk)) {
	for _, n := range w.nodes {
		if id == 0 || n.id == id {
			turn(&n.dial)
		}
	}
}

// performRequest makes the visitor ask something.
func (w *World) performRequest(c *Command) (uint64, error) {
	op, body, err := requestOf(c, w.clients[0].lastRev)
	if err != nil {
		return 0, err
	}
	endpoint := -1
	if c.Member != 0 {
		endpoint = int(c.Member) - 1
	}
	words := clip(c.String(), requestWords)
	if create, ok := body.(*pb.WatchCreateRequest); ok {
		return w.watch(w.clients[0], create, c.Leader, words, endpoint).id, nil
	}
	slot := w.issue(w.clients[0], op, body, words, c.Key, endpoint, w.cfg.Workload.Timeout)
	return w.requests.at(slot).id, nil
}

// requestOf translates a command to the API.
func requestOf(c *Command, lastRev int64) (opCode, any, error) {
	key, end, value := bytesOf(c.Key), bytesOf(c.End), bytesOf(c.Value)
	switch c.Cmd {
	case "alarm", "move-leader", "status", "hash", "hash-kv", "members":
		return callOf(c)
	case "put", "get", "delete", "watch":
		if c.Key == "" {
			return 0, nil, fmt.Errorf("sim: %s: which key?", c.Cmd)
		}
	}
	switch c.Cmd {
	case "put":
		return opPut, &pb.PutRequest{Key: key, Value: value, PrevKv: c.PrevKV, IgnoreValue: c.IgnoreValue}, nil
	case "get":
		order, ok := map[string]pb.RangeRequest_SortOrder{"": pb.RangeRequest_NONE, "ascend": pb.RangeRequest_ASCEND, "descend": pb.RangeRequest_DESCEND}[c.Order]
		if !ok {
			return 0, nil, fmt.Errorf("sim: get: order %q is neither ascend nor descend", c.Order)
		}
		by, ok := sortTargets[c.By]
		if !ok {
			return 0, nil, fmt.Errorf("sim: get: by %q is neither version, create, mod nor value", c.By)
		}
		return opGet, &pb.RangeRequest{
			Key: key, RangeEnd: end, Limit: c.Limit, Revision: c.Rev, SortOrder: order, SortTarget: by,
			Serializable: c.Serializable, KeysOnly: c.KeysOnly, CountOnly: c.CountOnly,
			MinModRevision: c.MinMod, MaxModRevision: c.MaxMod, MinCreateRevision: c.MinCreate, MaxCreateRevision: c.MaxCreate,
		}, nil
	case "delete":
		return opDelete, &pb.DeleteRangeRequest{Key: key, RangeEnd: end, PrevKv: c.PrevKV}, nil
	case "txn":
		txn, err := txnOf(c)
		return opTxn, txn, err
	case "compact":
		rev := c.Rev
		if rev <= 0 {
			rev += lastRev
		}
		return opCompact, &pb.CompactionRequest{Revision: max(1, rev), Physical: c.Physical}, nil
	case "watch":
		create, err := watchOf(c)
		return opWatch, create, err
	}
	return 0, nil, fmt.Errorf("sim: %s is not a request", c.Cmd)
}

func watchOf(c *Command) (*pb.WatchCreateRequest, error) {
	create := &pb.WatchCreateRequest{
		Key: bytesOf(c.Key), RangeEnd: bytesOf(c.End), StartRevision: c.Rev, PrevKv: c.PrevKV, ProgressNotify: c.Progress,
		Fragment: c.Fragment, WatchId: c.ID,
	}
	for name := range strings.SplitSeq(c.Filter, ",") {
		f, ok := filters[name]
		if !ok && name != "" {
			return nil, fmt.Errorf("sim: watch: filter %q is neither no-put nor no-delete", name)
		}
		if ok {
			create.Filters = append(create.Filters, f)
		}
	}
	return create, nil
}

func txnOf(c *Command) (*pb.TxnRequest, error) {
	t := new(pb.TxnRequest)
	for i := range c.If {
		cmp, err := compareOf(&c.If[i])
		if err != nil {
			return nil, err
		}
		t.Compare = append(t.Compare, cmp)
	}
	var err error
	if t.Success, err = opsOf(c.Then); err == nil {
		t.Failure, err = opsOf(c.Else)
	}
	return t, err
}

func compareOf(x *Compare) (*pb.Compare, error) {
	cmp := &pb.Compare{Key: []byte(x.Key), RangeEnd: bytesOf(x.End)}
	results := map[string]pb.Compare_CompareResult{"=": pb.Compare_EQUAL, "!=": pb.Compare_NOT_EQUAL, ">": pb.Compare_GREATER, "<": pb.Compare_LESS}
	var ok bool
	if cmp.Result, ok = results[x.Op]; !ok {
		return nil, fmt.Errorf("sim: txn: %q is not a comparison", x.Op)
	}
	if x.Target == "value" {
		cmp.Target, cmp.TargetUnion = pb.Compare_VALUE, &pb.Compare_Value{Value: []byte(x.Value)}
		return cmp, nil
	}
	n, err := strconv.ParseInt(x.Value, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("sim: txn: %s %q is not a number", x.Target, x.Value)
	}
	switch x.Target {
	case "version":
		cmp.Target, cmp.TargetUnion = pb.Compare_VERSION, &pb.Compare_Version{Version: n}
	case "create":
		cmp.Target, cmp.TargetUnion = pb.Compare_CREATE, &pb.Compare_CreateRevision{CreateRevision: n}
	case "mod":
		cmp.Target, cmp.TargetUnion = pb.Compare_MOD, &pb.Compare_ModRevision{ModRevision: n}
	case "lease":
		cmp.Target, cmp.TargetUnion = pb.Compare_LEASE, &pb.Compare_Lease{Lease: n}
	default:
		return nil, fmt.Errorf("sim: txn: cannot compare the %q of a key", x.Target)
	}
	return cmp, nil
}

func opsOf(list []Command) (ops []*pb.RequestOp, err error) {
	for i := range list {
		_, body, err := requestOf(&list[i], 0)
		if err != nil {
			return nil, err
		}
		op := new(pb.RequestOp)
		switch r := body.(type) {
		case *pb.PutRequest:
			op.Request = &pb.RequestOp_RequestPut{RequestPut: r}
		case *pb.RangeRequest:
			op.Request = &pb.RequestOp_RequestRange{RequestRange: r}
		case *pb.DeleteRangeRequest:
			op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}
		case *pb.TxnRequest:
			op.Request = &pb.RequestOp_RequestTxn{RequestTxn: r}
		default:
			return nil, fmt.Errorf("sim: txn: %s cannot be part of a transaction", list[i].Cmd)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func (w *World) watchToCancel(c *Command) *watcher {
	for i := len(w.watchers) - 1; i >= 0; i-- {
		wt := w.watchers[i]
		if !wt.closed && wt.client == 0 && (c.Request == 0 || c.Request == wt.id) {
			return wt
		}
	}
	return nil
}

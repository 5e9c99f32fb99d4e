package oracle

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "go.etcd.io/etcd/api/v3/authpb"
	_ "go.etcd.io/etcd/api/v3/etcdserverpb"
	_ "go.etcd.io/etcd/api/v3/membershippb"
	_ "go.etcd.io/etcd/api/v3/mvccpb"
	_ "go.etcd.io/etcd/server/v3/etcdserver/api/snap/snappb"
	_ "go.etcd.io/etcd/server/v3/lease/leasepb"
	_ "go.etcd.io/etcd/server/v3/storage/wal/walpb"
	_ "vitrine/core/pb"
)

// etcdPackages are the proto packages whose messages core/pb has, all of them.
var etcdPackages = []string{"etcdserverpb", "mvccpb", "authpb", "membershippb", "leasepb", "walpb", "snappb"}

// renamed maps our names to etcd's where they differ.
var renamed = map[string]string{
	"MembershipMember": "membershippb.Member",
	"WALRecord":        "walpb.Record",
	"WALSnapshot":      "walpb.Snapshot",
	"WALMetadata":      "etcdserverpb.Metadata",
	"SnapFile":         "snappb.snapshot",
}

// pair is one message in both worlds.
type pair struct{ ours, theirs protoreflect.MessageType }

func messages(t *testing.T) map[string]pair {
	t.Helper()
	pairs := map[string]pair{}
	protoregistry.GlobalTypes.RangeMessages(func(m protoreflect.MessageType) bool {
		if d := m.Descriptor(); strings.HasPrefix(string(d.FullName()), "vitrine.") {
			pairs[etcdName(t, d)] = pair{ours: m}
		}
		return true
	})
	protoregistry.GlobalTypes.RangeMessages(func(m protoreflect.MessageType) bool {
		name := string(m.Descriptor().FullName())
		for _, p := range etcdPackages {
			if strings.HasPrefix(name, p+".") {
				x := pairs[name]
				x.theirs = m
				pairs[name] = x
			}
		}
		return true
	})
	return pairs
}

func etcdName(t *testing.T, d protoreflect.Descriptor) string {
	if name, ok := renamed[string(d.Name())]; ok {
		return name
	}
	var found []string
	for _, p := range etcdPackages {
		name := p + "." + string(d.Name())
		if _, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name)); err == nil {
			if name != "membershippb.Member" {
				found = append(found, name)
			}
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s is in etcd %v", d.FullName(), found)
	}
	return found[0]
}

func names(pairs map[string]pair) []string {
	var out []string
	for name := range pairs {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// Every message of etcd is there, and field by field the same.
func TestMessagesAreEtcds(t *testing.T) {
	pairs := messages(t)
	for _, name := range names(pairs) {
		p := pairs[name]
		if p.ours == nil || p.theirs == nil {
			t.Errorf("%s: only on one side", name)
			continue
		}
		ours, theirs := p.ours.Descriptor(), p.theirs.Descriptor()
		if ours.Syntax() != theirs.Syntax() {
			t.Errorf("%s: %v, etcd has %v", name, ours.Syntax(), theirs.Syntax())
		}
		if a, b := shape(ours), shape(theirs); a != b {
			t.Errorf("%s differs:\nours\n%s\netcd\n%s", name, a, b)
		}
	}
	if len(pairs) < 121 {
		t.Errorf("only %d messages compared", len(pairs))
	}
	t.Logf("%d messages", len(pairs))
}

// shape writes all that the wire, JSON and Go see of a message.
func shape(d protoreflect.MessageDescriptor) string {
	var lines []string
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		line := fmt.Sprintf("%d %s json=%s %v %v presence=%t packed=%t", f.Number(), f.Name(), f.JSONName(), f.Kind(),
			f.Cardinality(), f.HasPresence(), f.IsPacked())
		if o := f.ContainingOneof(); o != nil {
			line += " oneof " + string(o.Name())
		}
		if m := f.Message(); m != nil {
			line += " " + string(m.Name())
		}
		if e := f.Enum(); e != nil {
			line += " " + string(e.Name()) + values(e)
		}
		lines = append(lines, line)
	}
	for i := range d.Enums().Len() {
		lines = append(lines, "enum "+string(d.Enums().Get(i).Name())+values(d.Enums().Get(i)))
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func values(e protoreflect.EnumDescriptor) string {
	out := ""
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		out += fmt.Sprintf(" %s=%d", v.Name(), v.Number())
	}
	return out
}

// fast is what generated code adds to our messages.
type fast interface {
	MarshalVT() ([]byte, error)
	UnmarshalVT([]byte) error
	SizeVT() int
}

// Random messages have the same bytes on both sides: standard marshalling of
// etcd's type, of ours, and our fast path; and the fast path reads them back.
func TestBytesAreEtcds(t *testing.T) {
	pairs := messages(t)
	for _, name := range names(pairs) {
		p := pairs[name]
		if p.ours == nil || p.theirs == nil {
			continue // TestMessagesAreEtcds says so
		}
		rnd := rand.New(rand.NewPCG(7, uint64(len(name))))
		for range 200 {
			theirs := p.theirs.New()
			fill(rnd, theirs, 3)
			want, err := proto.Marshal(theirs.Interface())
			if err != nil {
				t.Fatal(err)
			}
			ours := p.ours.New().Interface()
			if err := ours.(fast).UnmarshalVT(want); err != nil {
				t.Fatalf("%s: UnmarshalVT of etcd's bytes: %v", name, err)
			}
			slow, err := proto.Marshal(ours)
			if err != nil {
				t.Fatal(err)
			}
			quick, err := ours.(fast).MarshalVT()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(slow, want) || !bytes.Equal(quick, want) || ours.(fast).SizeVT() != len(want) {
				t.Fatalf("%s: etcd %x\nstandard %x\n    fast %x", name, want, slow, quick)
			}
			a, errA := protojson.Marshal(theirs.Interface())
			b, errB := protojson.Marshal(ours)
			if errA != nil || errB != nil || unspaced(a) != unspaced(b) {
				t.Fatalf("%s: as JSON etcd has %s, %v, we %s, %v", name, a, errA, b, errB)
			}
		}
	}
}

// unspaced takes out the white space that protojson adds at random.
func unspaced(b []byte) string { return strings.ReplaceAll(string(b), " ", "") }

// fill sets each field with probability 1/2, nested messages to some depth.
func fill(rnd *rand.Rand, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if rnd.IntN(2) == 0 || f.Message() != nil && depth == 0 {
			continue
		}
		if !f.IsList() {
			m.Set(f, value(rnd, m.NewField(f), f, depth))
			continue
		}
		list := m.Mutable(f).List()
		for range rnd.IntN(3) + 1 {
			list.Append(value(rnd, list.NewElement(), f, depth))
		}
	}
}

func value(rnd *rand.Rand, zero protoreflect.Value, f protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	n := rnd.Uint64() >> rnd.IntN(64)
	if rnd.IntN(4) == 0 {
		n = 0 // a zero that is set is bytes in proto2 and none in proto3
	}
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n%2 == 1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(n))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(n)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(int(n % uint64(values.Len()))).Number())
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.Repeat("ä", int(n%5)))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(bytes.Repeat([]byte{byte(n)}, int(n%200)))
	case protoreflect.MessageKind:
		fill(rnd, zero.Message(), depth-1)
		return zero
	}
	panic("no such kind in etcd's messages: " + f.Kind().String())
}

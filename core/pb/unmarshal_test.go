package pb

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// speakable are all messages that are no part of a file, by name.
func speakable(t testing.TB) (all []Message) {
	t.Helper()
	protoregistry.GlobalTypes.RangeMessages(func(m protoreflect.MessageType) bool {
		if d := m.Descriptor(); strings.HasPrefix(string(d.FullName()), "vitrine.") && d.Syntax() == protoreflect.Proto3 {
			all = append(all, m.New().Interface().(Message))
		}
		return true
	})
	slices.SortFunc(all, func(a, b Message) int {
		return strings.Compare(string(proto.MessageName(a)), string(proto.MessageName(b)))
	})
	return all
}

func empty(m Message) Message { return m.ProtoReflect().New().Interface().(Message) }

// The generated table says what the descriptors say.
func TestShapesAreTheDescriptors(t *testing.T) {
	all := speakable(t)
	if len(all) != len(shapes) {
		t.Fatalf("%d messages, %d shapes: make generate", len(all), len(shapes))
	}
	for i, m := range all {
		fields := m.ProtoReflect().Descriptor().Fields()
		if m.shape() != i || len(shapes[i]) != fields.Len() {
			t.Errorf("%T has shape %d with %d fields, want %d with %d: make generate", m, m.shape(), len(shapes[i]), i,
				fields.Len())
			continue
		}
		for j := range fields.Len() {
			d := fields.Get(j)
			f := shapes[i].find(uint64(d.Number()))
			if f == nil || f.form == formForeign {
				t.Errorf("%T lacks %s", m, d.Name())
				continue
			}
			want := map[protoreflect.Kind]form{protoreflect.BytesKind: formBytes, protoreflect.StringKind: formText,
				protoreflect.MessageKind: formMessage}[d.Kind()]
			if want == formForeign {
				if want = formVarint; d.IsList() {
					want = formVarints
				}
			}
			if f.form != want || want == formMessage && proto.MessageName(all[f.of]) != d.Message().FullName() {
				t.Errorf("%T.%s has form %d of %d", m, d.Name(), f.form, f.of)
			}
		}
	}
	if f := shapes[0].find(1 << 40); f != nil || shapes[0].find(0) != nil {
		t.Error("numbers that no field has were found")
	}
}

// nested is a txn inside a txn, and so on: levels of them, two messages each but for the innermost.
func nested(levels int) []byte {
	var b []byte // from its end to its beginning
	for range levels - 1 {
		for _, tag := range []byte{4<<3 | 2, 2<<3 | 2} {
			length := protowire.AppendVarint(nil, uint64(len(b)))
			slices.Reverse(length)
			b = append(append(b, length...), tag)
		}
	}
	slices.Reverse(b)
	return b
}

// awkward are encodings on which decoders like to differ.
func awkward() [][]byte {
	tag := func(n protowire.Number, t protowire.Type) []byte { return protowire.AppendTag(nil, n, t) }
	field := func(n protowire.Number, b string) []byte {
		return protowire.AppendString(tag(n, protowire.BytesType), b)
	}
	all := [][]byte{nil, {0}, {0xff}, nested(2), nested(100)}
	ten := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for n := protowire.Number(1); n <= 10; n++ {
		v, b := tag(n, protowire.VarintType), tag(n, protowire.BytesType)
		all = append(all,
			// 64 bits, and more
			append(v, 1), append(bytes.Clone(v), append(ten, 1)...), append(bytes.Clone(v), append(ten, 2)...),
			append(bytes.Clone(v), append(ten, 0x7f)...),
			// eleven bytes, a long zero, cut short
			append(append(bytes.Clone(v), ten...), 0x80, 0), append(bytes.Clone(v), 0x80, 0x80, 0), append(bytes.Clone(v), 0x80),
			field(n, ""), field(n, "text"), field(n, "\xff\xfe"), field(n, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
			field(n, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"),
			// lengths: too long, -1, more than 64 bits, 2 GiB
			append(bytes.Clone(b), 5, 'x'), append(bytes.Clone(b), append(ten, 1)...),
			append(bytes.Clone(b), append(ten, 0x7f)...), append(bytes.Clone(b), 0x80, 0x80, 0x80, 0x80, 0x08),
			append(tag(n, protowire.Fixed32Type), 1, 2, 3, 4), append(tag(n, protowire.Fixed64Type), 1, 2, 3, 4, 5, 6, 7, 8),
			append(tag(n, protowire.Fixed64Type), 1),
			tag(n, protowire.StartGroupType), tag(n, protowire.EndGroupType),
			append(tag(n, protowire.StartGroupType), tag(n, protowire.EndGroupType)...),
			append(tag(n, protowire.StartGroupType), tag(n+1, protowire.EndGroupType)...),
			append(bytes.Clone(v), append([]byte{7}, append(v, 8)...)...), append(field(n, "a"), field(n, "b")...), // twice
			field(2, string(append(tag(n, protowire.VarintType), append(ten, 2)...))),
			[]byte{byte(n<<3 | 6), 1}, []byte{byte(n<<3 | 7), 1}, // wire types that do not exist
		)
	}
	return append(all,
		// numbers that wrap around
		append(protowire.AppendVarint(nil, 1<<35|0x08), 1), append(protowire.AppendVarint(nil, 1<<32|0x08), 1),
		append(protowire.AppendVarint(nil, 0x05<<3), 1),
		// a long tag, one beyond 64 bits
		append([]byte{0x88, 0x80, 0x00}, 5), append([]byte{0x88, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f}, 5),
		append(tag(1<<29-1, protowire.VarintType), 1), field(99, "unknown"),
		bytes.Repeat(tag(77, protowire.StartGroupType), 10_001), bytes.Repeat(tag(77, protowire.StartGroupType), 9),
	)
}

// same compares Unmarshal with the standard decoder: acceptance, meaning, encoding.
func same(t *testing.T, m Message, b []byte) {
	t.Helper()
	ours, std := empty(m), empty(m)
	err, want := Unmarshal(b, ours), proto.Unmarshal(b, std)
	if (err == nil) != (want == nil) || (Check(b, ours) == nil) != (want == nil) {
		t.Fatalf("%T from %x: %v, protobuf says %v", m, cut(b), err, want)
	}
	if want != nil {
		return
	}
	got, err := ours.MarshalVT()
	again, want := proto.Marshal(std)
	if err != nil || want != nil || !bytes.Equal(got, again) {
		t.Fatalf("%T from %x: encoded again %x (%v), protobuf writes %x (%v)", m, cut(b), got, err, again, want)
	}
}

func cut(b []byte) []byte { return b[:min(len(b), 200)] }

func TestUnmarshalIsProtobufs(t *testing.T) {
	for _, m := range speakable(t) {
		for _, b := range awkward() {
			same(t, m, b)
		}
	}
}

// Nesting is bounded where protobuf bounds it, and what goes deeper is refused at once, whatever its size.
func TestNestingIsBounded(t *testing.T) {
	same(t, &TxnRequest{}, nested(MaxDepth/2))
	same(t, &TxnRequest{}, nested(MaxDepth/2+1))
	if err := Unmarshal(nested(MaxDepth/2), &TxnRequest{}); err != nil {
		t.Error(err)
	}
	deep := nested(110_000)
	inLog := protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), deep)
	for _, err := range []error{Unmarshal(deep, &TxnRequest{}), Check(deep, &TxnRequest{}),
		Unmarshal(inLog, &InternalRaftRequest{}), Check(inLog, &InternalRaftRequest{})} {
		if err == nil || !strings.Contains(err.Error(), "exceeded maximum recursion depth") {
			t.Errorf("110,000 levels: %v", err)
		}
	}
	if n := testing.AllocsPerRun(1, func() { _ = Unmarshal(deep, &TxnRequest{}) }); n > 2*MaxDepth {
		t.Errorf("refusing %d bytes allocates %.0f times: it is read no deeper than it may be", len(deep), n)
	}
}

// FuzzUnmarshal: no bytes make the two decoders differ, whatever the message.
func FuzzUnmarshal(f *testing.F) {
	all := speakable(f)
	for _, b := range awkward() {
		f.Add(uint8(0), b)
	}
	for i, m := range all {
		if _, txn := m.(*TxnRequest); txn {
			f.Add(uint8(i), nested(50))
			f.Add(uint8(i), []byte("\n\x0b\x10\x04\x1a\x01k\x82\x04\x01l@\x03\x12\x08\x12\x06\n\x01k\x12\x01v"))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) { same(t, all[int(which)%len(all)], b) })
}

func BenchmarkUnmarshal(b *testing.B) {
	m := &InternalRaftRequest{Header: &RequestHeader{ID: 7 << 50},
		Put: &PutRequest{Key: make([]byte, 8), Value: make([]byte, 256)}}
	data, err := m.MarshalVT()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := Unmarshal(data, new(InternalRaftRequest)); err != nil {
			b.Fatal(err)
		}
	}
}

package oracle

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
)

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string                       { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }

// sayRaw sends bytes as a request and returns the error that comes back, or the number of bytes of the answer.
func sayRaw(ctx context.Context, conn *grpc.ClientConn, method string, request []byte,
	options ...grpc.CallOption) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var response []byte
	options = append(options, grpc.ForceCodec(rawCodec{}))
	err := conn.Invoke(ctx, method, request, &response, options...)
	if err != nil {
		s := status.Convert(err)
		text := strings.ReplaceAll(s.Message(), "\u00a0", " ") // protobuf varies its texts on purpose
		return fmt.Sprintf("%v: %s", s.Code(), text)
	}
	return fmt.Sprintf("answered: %t", len(response) > 0)
}

// sayRawStream is sayRaw for a method that streams its answer.
func sayRawStream(ctx context.Context, conn *grpc.ClientConn, method string, request []byte) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method, grpc.ForceCodec(rawCodec{}))
	if err == nil {
		// to the end: etcd does not stop any more once a snapshot is left half read
		for err = s.SendMsg(request); err == nil; {
			var response []byte
			err = s.RecvMsg(&response)
		}
	}
	if err != io.EOF {
		c := status.Convert(err)
		return fmt.Sprintf("%v: %s", c.Code(), strings.ReplaceAll(c.Message(), "\u00a0", " "))
	}
	return "answered"
}

// nestedTxn is a txn inside a txn, and so on.
func nestedTxn(levels int) []byte {
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

// hostile are requests that no library would send.
func hostile() []struct {
	method  string
	request []byte
} {
	type call = struct {
		method  string
		request []byte
	}
	const txn, put, get = "/etcdserverpb.KV/Txn", "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"
	tag := func(n protowire.Number, t protowire.Type) []byte { return protowire.AppendTag(nil, n, t) }
	key := func(more ...byte) []byte { return append([]byte{10, 1, 'k'}, more...) }
	ten := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	group := slices.Concat(tag(77, protowire.StartGroupType), tag(77, protowire.EndGroupType))
	return []call{
		{txn, nestedTxn(2)}, {txn, nestedTxn(129)}, {txn, nestedTxn(5000)}, {txn, nestedTxn(5001)}, {txn, nestedTxn(110_000)},
		{put, key(slices.Concat([]byte{3 << 3}, ten, []byte{1})...)},
		{put, key(slices.Concat([]byte{3 << 3}, ten, []byte{2})...)},
		{put, key(slices.Concat([]byte{3 << 3}, ten, []byte{0x80, 0})...)},
		{put, key(slices.Concat(tag(99, protowire.VarintType), ten, []byte{1})...)},
		{put, key(slices.Concat(tag(99, protowire.VarintType), ten, []byte{2})...)},
		{put, key(group...)}, {put, key(tag(77, protowire.StartGroupType)...)},
		{put, key(tag(77, protowire.EndGroupType)...)},
		{put, key(bytes.Repeat(tag(77, protowire.StartGroupType), 10_001)...)},
		{put, key(4<<3|5, 1, 2, 3, 4)}, {put, key(4<<3|6, 1)}, {put, key(4<<3|7, 1)}, {put, key(0, 1)},
		{put, []byte{10, 5, 'k'}}, {put, slices.Concat([]byte{10}, ten, []byte{1})},
		{get, key(3<<3, 0x80)}, {get, key(5<<3, 0xff, 0xff, 0xff, 0xff, 0x10)},
		{get, slices.Concat(key(), protowire.AppendVarint(nil, 1<<35|7<<3), []byte{1})},
		{"/etcdserverpb.Maintenance/Hash", bytes.Repeat([]byte{0xff}, 20)},
		{"/etcdserverpb.Cluster/MemberList", []byte{1 << 3, 2}},
	}
}

// TestHostileBytesAreRefusedAlike sends bytes on which decoders like to differ.
func TestHostileBytesAreRefusedAlike(t *testing.T) {
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		conn := wire(t, members[0])
		for i, c := range hostile() {
			said = append(said, fmt.Sprintf("%d %s %.40x: %s", i, c.method, c.request,
				sayRaw(context.Background(), conn, c.method, c.request)))
		}
		for _, method := range []string{"/etcdserverpb.KV/RangeStream", "/etcdserverpb.Maintenance/Snapshot",
			"/etcdserverpb.Watch/Watch"} {
			for _, b := range [][]byte{{0xff}, {10, 5, 'k'}, {3 << 3, 0x80}} {
				said = append(said, fmt.Sprintf("%s %x: %s", method, b, sayRawStream(context.Background(), conn, method, b)))
			}
		}
		return said
	})
}

// identity is a compressor that no server knows.
type identity struct{ name string }

func (i identity) Name() string                                 { return i.name }
func (i identity) Compress(w io.Writer) (io.WriteCloser, error) { return nopCloser{w}, nil }
func (i identity) Decompress(r io.Reader) (io.Reader, error)    { return r, nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// TestCompressionIsTheSame: what a client may compress with, and how large that may become.
func TestCompressionIsTheSame(t *testing.T) {
	encoding.RegisterCompressor(identity{"snappy"})
	encoding.RegisterCompressor(identity{"deflate"})
	processes(t)
	compareSaid(t, 1, func(t *testing.T, members []*member) (said []string) {
		conn := wire(t, members[0])
		for _, name := range []string{gzip.Name, "snappy", "deflate", encoding.Identity} {
			for _, size := range []int{1, 1000, 1_500_000, 2_097_152 - 10, 2_200_000, 60 << 20} {
				put := protowire.AppendBytes([]byte{10, 1, 'k', 2<<3 | 2}, make([]byte, size))
				said = append(said,
					fmt.Sprintf("%s %d: %s", name, size, sayRaw(context.Background(), conn, "/etcdserverpb.KV/Put", put,
						grpc.UseCompressor(name))))
			}
			said = append(said, name+" range: "+sayRaw(context.Background(), conn, "/etcdserverpb.KV/Range", []byte{10, 1, 'k'},
				grpc.UseCompressor(name)))
		}
		return said
	})
}

// TestDeepRequestsCostNothing: sixteen at once are refused at once.
func TestDeepRequestsCostNothing(t *testing.T) {
	processes(t)
	m := run(t, []kind{vitrine})[0]
	conn := wire(t, m)
	deep := nestedTxn(110_000)
	start := time.Now()
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			if said := sayRaw(context.Background(), conn, "/etcdserverpb.KV/Txn", deep); !strings.Contains(said,
				"exceeded maximum recursion depth") {
				t.Error(said)
			}
		})
	}
	wait.Wait()
	t.Logf("16 requests of %d bytes refused in %v", len(deep), time.Since(start))
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	peak, err := peakMiB(m.cmd.Process.Pid)
	ok(t, err)
	t.Logf("the process had %d MiB at most", peak)
	if peak > 300 {
		t.Errorf("it took %d MiB", peak)
	}
}

// peakMiB is the most memory that a process has had.
func peakMiB(pid int) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	var kib int
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	_, err = fmt.Sscan(after, &kib)
	return kib >> 10, err
}

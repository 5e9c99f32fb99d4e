package driver

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"vitrine/core/vfs"
)

// TestImageNames: sixteen digits and a suffix, and nothing else.
func TestImageNames(t *testing.T) {
	for name, want := range map[string]uint64{
		"0000000000000028.snap.db": 40, "ffffffffffffffff.snap.db": ^uint64(0), "0000000000000000.snap.db": 0,
	} {
		if got, ok := imageIndex(name); got != want || !ok {
			t.Errorf("%s: %d, %v", name, got, ok)
		}
	}
	for _, name := range []string{
		"", "db", "28.snap.db", "00000000000000028.snap.db", "000000000000002g.snap.db", "0000000000000028",
		"0000000000000028.snap",
	} {
		if got, ok := imageIndex(name); ok {
			t.Errorf("%q is taken for the image at %d", name, got)
		}
	}
	l := At("data", "elsewhere/wal/")
	snap := "data/member/snap/"
	if l.WAL != "elsewhere/wal" || l.Image(40) != snap+"0000000000000028.snap.db" || l.DB() != snap+"db" {
		t.Errorf("%+v, image %s", l, l.Image(40))
	}
}

// TestLeftovers: what was on its way is removed, what a member needs is not, nor what is not its own.
func TestLeftovers(t *testing.T) {
	mem := vfs.NewMem()
	d := diskOn(mem)
	born(t, d).Close()
	gone := []string{
		d.Layout.received(1), d.Layout.received(23), d.Layout.copy(), path.Join(d.Layout.founding(), "x"),
		path.Join(d.Layout.founding()+".tmp", "x"),
	}
	gone = append(gone, d.Layout.Image(90), d.Layout.Image(100)) // the log asks for neither
	stay := []string{path.Join(d.Layout.Snap, "notes"), path.Join(d.Layout.Snap, "db.old")}
	for _, dir := range []string{d.Layout.founding(), d.Layout.founding() + ".tmp"} {
		if err := mem.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range append(slices.Clone(gone), stay...) {
		touch(t, mem, name, "x")
	}
	if err := born(t, d).Close(); err != nil {
		t.Error(err)
	}
	for _, name := range gone {
		if _, err := mem.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range append(stay, d.Layout.DB()) {
		if _, err := mem.Stat(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDropImages: while a member lives it may be about to ask for one beyond what its database has.
func TestDropImages(t *testing.T) {
	mem := vfs.NewMem()
	d := diskOn(mem)
	born(t, d).Close()
	touch(t, mem, d.Layout.Image(90), "x")
	touch(t, mem, d.Layout.Image(100), "x")
	if images, err := d.Images(); err != nil || !slices.Equal(images, []uint64{90, 100}) {
		t.Errorf("images %v, %v", images, err)
	}
	for _, c := range []struct {
		durable uint64
		want    []uint64
	}{{89, []uint64{90, 100}}, {90, []uint64{100}}, {99, []uint64{100}}, {100, nil}} {
		if err := d.DropImages(c.durable); err != nil {
			t.Error(err)
		}
		if images, _ := d.Images(); !slices.Equal(images, c.want) {
			t.Errorf("durable up to %d: images %v, want %v", c.durable, images, c.want)
		}
	}
}

// TestReceiptIsBounded, in bytes, and leaves nothing behind that was not kept.
func TestReceiptIsBounded(t *testing.T) {
	image, _ := imageAt(t, 40)
	mem := vfs.NewMem()
	d := diskOn(mem)
	born(t, d).Close()
	open := counting(d)
	receive := func(limit int64, data ...[]byte) (r *Receipt, err error) {
		if r, err = d.Receive(40, 1, limit); err != nil {
			t.Fatal(err)
		}
		for _, part := range data {
			if err == nil {
				_, err = r.Write(part)
			}
		}
		return r, err
	}
	left := func() (names []string) {
		all, err := mem.List(d.Layout.Snap)
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(all, func(name string) bool { return name == "db" })
	}
	half := len(image) / 2
	size := int64(len(image))
	if _, err := receive(size-1, image[:half], image[half:]); !errors.Is(err, ErrImageTooLarge) || len(left()) != 0 {
		t.Errorf("one byte too many: %v, left %v", err, left())
	}
	r, err := receive(size, image[:half], image[half:])
	if err != nil || r.Size() != size {
		t.Errorf("as many bytes as allowed: %d, %v", r.Size(), err)
	}
	if err := r.Abort(); err != nil || len(left()) != 0 {
		t.Errorf("given up: %v, left %v", err, left())
	}
	if err := r.Abort(); err != nil {
		t.Errorf("given up twice: %v", err)
	}
	r, _ = receive(size, image[:half]) // the rest is lost
	if err := errors.Join(r.Sync(), r.Keep()); err == nil || len(left()) != 0 {
		t.Errorf("half an image is kept: %v, left %v", err, left())
	}
	r, _ = receive(size, image)
	if err := mem.Remove(r.name); err != nil { // somebody else was quicker
		t.Fatal(err)
	}
	if err := r.Abort(); err != nil {
		t.Errorf("what is gone cannot be removed: %v", err)
	}
	r, _ = receive(size, image)
	kept := []string{"0000000000000028.snap.db"}
	if err := errors.Join(r.Sync(), r.Keep(), r.Abort()); err != nil || !slices.Equal(left(), kept) {
		t.Errorf("kept: %v, left %v", err, left())
	}
	if *open != 0 {
		t.Errorf("%d databases are open", *open)
	}
	short := &Receipt{disk: d, index: 41, name: d.Layout.received(2), limit: size}
	touch(t, mem, short.name, string(image))
	if err := short.Keep(); err == nil || !strings.Contains(err.Error(), "stands at 40 instead of 41") {
		t.Errorf("an image of an earlier index: %v", err)
	}
}

// TestAdoptNeedsItsImage: to open one that is not there would create it.
func TestAdoptNeedsItsImage(t *testing.T) {
	mem := vfs.NewMem()
	d := diskOn(mem)
	s := born(t, d)
	if _, err := d.Adopt(40); err == nil || !strings.Contains(err.Error(), "failed to find database snapshot file") {
		t.Errorf("%v", err)
	}
	if images, _ := d.Images(); len(images) != 0 {
		t.Errorf("images %v", images)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestInstalled is what a member hears of a state that has replaced its own.
func TestInstalled(t *testing.T) {
	l := &life{t: t, disk: diskOn(vfs.NewMem()), promised: &promises{}}
	l.start()
	l.group(3, 10, 0)
	st := l.started.State.Store
	r, info := Installed(st), Info(st)
	if r.Index != 4 || r.Term != 1 || r.Revision != 4 || info.Revision != 4 || len(r.Members.List()) != 1 ||
		len(info.Members.List()) != 1 {
		t.Errorf("%+v, %+v", r, info)
	}
}

// TestRemovalsThatFail are told, together with why something was to be removed.
func TestRemovalsThatFail(t *testing.T) {
	image, _ := imageAt(t, 40)
	stuck, broken := errors.New("stuck"), errors.New("broken")
	mem, fail, hook := vfs.NewMem(), error(nil), NoStep
	d := diskOn(vfs.WithFaults(mem, func(op vfs.Op) error {
		if op.Kind == vfs.OpRemove {
			return fail
		}
		return nil
	}))
	d.Hook = func(s Step) error {
		if s == hook {
			return broken
		}
		return nil
	}
	l := living(t, d)
	for _, f := range []error{stuck, fs.ErrNotExist} {
		told := func(what string, err error, because error) {
			t.Helper()
			if because != nil && !errors.Is(err, because) || errors.Is(err, f) != (f == stuck) {
				t.Errorf("%s, and %v: %v", what, f, err)
			}
		}
		fail, hook = f, NoStep
		r, err := d.Receive(40, 7, 10)
		l.check(err)
		_, err = r.Write(image)
		told("too large", err, ErrImageTooLarge)
		r, err = d.Receive(41, 8, 10)
		l.check(err)
		told("given up", r.Abort(), nil)
		touch(t, mem, d.Layout.Image(3), "x")
		told("dropped", d.DropImages(3), nil)
		told("one is dropped", d.DropImage(3), nil)
		touch(t, mem, path.Join(d.Layout.Snap, "tmp9"), "x")
		told("left over", d.removeLeftovers(), nil)
		hook = DefragCopy
		f, err := l.started.State.BeginDefrag()
		l.check(err)
		told("not copied", f.Copy(), broken)
	}
	fail = nil
	l.check(errors.Join(d.removeLeftovers(), mem.MkdirAll(d.Layout.founding())))
	if fail = stuck; !errors.Is(d.removeLeftovers(), stuck) {
		t.Error("a directory that is left over and cannot be removed is passed over")
	}
}

// TestReceiptsThatAreOver touch nothing: the number of one that is kept or given up is another one's now.
func TestReceiptsThatAreOver(t *testing.T) {
	image, _ := imageAt(t, 40)
	d := diskOn(vfs.NewMem())
	l := living(t, d)
	kept, err := d.Receive(40, 1, 1<<20)
	l.check(err)
	_, err = kept.Write(image)
	l.check(errors.Join(err, kept.Sync(), kept.Keep()))
	for range 2 {
		aborted, err := d.Receive(39, 1, 1<<20)
		l.check(errors.Join(err, kept.Abort()))
		if !d.exists(d.Layout.received(1)) || !d.exists(d.Layout.Image(40)) {
			t.Error("to give up what is kept removes an image")
		}
		l.check(aborted.Abort())
		_, err = d.Receive(38, 1, 1<<20)
		l.check(errors.Join(err, aborted.Abort()))
		if !d.exists(d.Layout.received(1)) {
			t.Error("to give up twice removes another one's image")
		}
	}
}

// TestReceiptWrites as an io.Writer does: it says how much of the bytes is there.
func TestReceiptWrites(t *testing.T) {
	full := errors.New("full")
	d := diskOn(vfs.WithFaults(vfs.NewMem(), func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && path.Base(op.Path) == "tmp1" {
			return &vfs.ShortWrite{Bytes: 3, Err: full}
		}
		return nil
	}))
	born(t, d).Close()
	r, err := d.Receive(40, 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.Write([]byte("image")); n != 3 || !errors.Is(err, full) || r.Size() != 3 {
		t.Errorf("%d bytes, %v, size %d", n, err, r.Size())
	}
}

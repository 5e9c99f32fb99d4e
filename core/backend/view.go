package backend

// View is a stable image of everything written at the time it was opened. It
// stays the same while the owner writes and commits on, and must be closed.
type View interface {
	Get(b Bucket, key []byte) []byte
	Range(b Bucket, start, end []byte, limit int, fn func(k, v []byte) bool)
	Close()
}

type view struct{ layers }

// View opens a View. Opening is the owner's call; using and closing is not.
func (b *Backend) View() View {
	if b.image == nil {
		b.image = b.front.image()
	}
	return &view{layers{front: b.image, frozen: b.frozen, base: b.base.Retain()}}
}

func (v *view) Get(b Bucket, key []byte) []byte { return v.get(b, key) }

func (v *view) Range(b Bucket, start, end []byte, limit int, fn func(k, v []byte) bool) {
	v.scan(b, start, end, limit, fn)
}

func (v *view) Close() {
	if v.base != nil {
		v.base.Close()
		v.base = nil
	}
}

// noView stands in for a store that failed while it was without a view.
type noView struct{}

func (noView) Get(Bucket, []byte) []byte                            { return nil }
func (noView) Range(Bucket, []byte, []byte, func(k, v []byte) bool) {}
func (v noView) Retain() StoreView                                  { return v }
func (noView) Snapshot() (Snapshot, error)                          { return nil, errNoView }
func (noView) Close()                                               {}

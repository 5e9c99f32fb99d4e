package backend

// Layer is one of the buffers in front of the store, for whoever draws it.
type Layer struct {
	Ops     int     // changes that were written to it
	Applied Applied // the position that becomes durable with it; Index 0 = it carries none
	buffer  *buffer
}

// Changes lists what the layer will have changed, in bucket and key order, each
// key once, with the position among them. It must not be kept beyond the next
// write.
func (l *Layer) Changes() []Op { return l.buffer.list() }

// Layers are the front buffer and the one that a commit carries to the store, nil
// if none does. Behind both is Store.
func (b *Backend) Layers() (front, frozen *Layer) {
	if b.frozen != nil {
		frozen = layerOf(b.frozen)
	}
	return layerOf(b.front), frozen
}

func layerOf(b *buffer) *Layer { return &Layer{Ops: b.ops, Applied: b.applied, buffer: b} }

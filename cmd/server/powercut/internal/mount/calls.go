package mount

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"vitrine/powercut/internal/disk"
)

// forever is how long the kernel may trust what it knows: only it changes these files.
const forever = time.Hour

const (
	fileMode = syscall.S_IFREG | 0o600
	dirMode  = syscall.S_IFDIR | 0o700
)

func (fs *FS) String() string { return "powercut" }

// find returns what the kernel means by a number. The caller holds mu.
func (fs *FS) find(id uint64) (*entry, fuse.Status) {
	if e := fs.nodes[id]; e != nil {
		return e, fuse.OK
	}
	return nil, fuse.Status(syscall.ESTALE)
}

func attributes(n *disk.Node, out *fuse.Attr) {
	out.Ino, out.Nlink, out.Blksize = n.ID, 1, 4096
	out.Mode = fileMode
	if n.IsDir {
		out.Mode, out.Nlink = dirMode, 2
		return
	}
	out.Size = uint64(n.Size())
	out.Blocks = (out.Size + disk.SectorBytes - 1) / disk.SectorBytes
}

// hand makes a node known to the kernel.
func (fs *FS) hand(b *Boot, n *disk.Node, out *fuse.EntryOut) {
	e := fs.nodes[n.ID]
	if e == nil {
		e = &entry{boot: b, node: n}
		fs.nodes[n.ID] = e
	}
	e.lookups++
	out.NodeId, out.Generation = n.ID, 1
	attributes(n, &out.Attr)
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
}

// Lookup implements fuse.RawFileSystem, as do all methods here.
func (fs *FS) Lookup(_ <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if header.NodeId == fuse.FUSE_ROOT_ID {
		b := fs.boots[name]
		if b == nil {
			return fuse.ENOENT
		}
		fs.hand(b, b.disk.Root(), out)
		return fuse.OK
	}
	e, status := fs.find(header.NodeId)
	if status != fuse.OK {
		return status
	}
	n := e.node.Lookup(name)
	if n == nil {
		return fuse.ENOENT
	}
	fs.hand(e.boot, n, out)
	return fuse.OK
}

func (fs *FS) Forget(id, n uint64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if e := fs.nodes[id]; e != nil {
		if e.lookups -= min(n, e.lookups); e.lookups == 0 {
			delete(fs.nodes, id)
		}
	}
}

func (fs *FS) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if in.NodeId == fuse.FUSE_ROOT_ID {
		out.Attr = fuse.Attr{Ino: fuse.FUSE_ROOT_ID, Mode: dirMode, Nlink: 2}
		return fuse.OK
	}
	e, status := fs.find(in.NodeId)
	if status == fuse.OK {
		attributes(e.node, &out.Attr)
		out.SetTimeout(forever)
	}
	return status
}

func (fs *FS) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e, status := fs.find(in.NodeId)
	if status != fuse.OK {
		return status
	}
	if size, ok := in.GetSize(); ok {
		if errno := fs.truncate(e, int64(size)); errno != 0 {
			return fuse.Status(errno)
		}
	}
	attributes(e.node, &out.Attr)
	out.SetTimeout(forever)
	return fuse.OK
}

func (fs *FS) truncate(e *entry, size int64) syscall.Errno {
	b := e.boot
	return b.do(Op{Kind: Truncate, Path: e.node.Path(), Len: size}, func() (syscall.Errno, bool) {
		b.disk.Truncate(e.node, size)
		return 0, true
	})
}

// create makes a file or directory and hands it to the kernel.
func (fs *FS) create(parent uint64, name string, isDir bool, out *fuse.EntryOut) fuse.Status {
	e, status := fs.find(parent)
	if status != fuse.OK {
		return status
	}
	op := Op{Kind: Create, Path: join(e.node, name)}
	if isDir {
		op.Kind = Mkdir
	}
	errno := e.boot.do(op, func() (syscall.Errno, bool) {
		n, errno := e.boot.disk.Create(e.node, name, isDir)
		if errno == 0 {
			fs.hand(e.boot, n, out)
		}
		return errno, true
	})
	return fuse.Status(errno)
}

func join(dir *disk.Node, name string) string {
	if p := dir.Path(); p != "" {
		return p + "/" + name
	}
	return name
}

func (fs *FS) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.create(in.NodeId, name, true, out)
}

func (fs *FS) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fs.create(in.NodeId, name, false, &out.EntryOut)
}

func (fs *FS) remove(header *fuse.InHeader, name string, isDir bool) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e, status := fs.find(header.NodeId)
	if status != fuse.OK {
		return status
	}
	return fuse.Status(e.boot.do(Op{Kind: Remove, Path: join(e.node, name)}, func() (syscall.Errno, bool) {
		return e.boot.disk.Remove(e.node, name, isDir), true
	}))
}

func (fs *FS) Unlink(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return fs.remove(header, name, false)
}

func (fs *FS) Rmdir(_ <-chan struct{}, header *fuse.InHeader, name string) fuse.Status {
	return fs.remove(header, name, true)
}

func (fs *FS) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	const noReplace = 1
	fs.mu.Lock()
	defer fs.mu.Unlock()
	from, status := fs.find(in.NodeId)
	if status != fuse.OK {
		return status
	}
	to, status := fs.find(in.Newdir)
	switch {
	case status != fuse.OK:
		return status
	case from.boot != to.boot:
		return fuse.Status(syscall.EXDEV)
	case in.Flags&^noReplace != 0:
		return fuse.EINVAL
	}
	op := Op{Kind: Rename, Path: join(from.node, oldName), To: join(to.node, newName)}
	return fuse.Status(from.boot.do(op, func() (syscall.Errno, bool) {
		if in.Flags&noReplace != 0 && to.node.Lookup(newName) != nil {
			return syscall.EEXIST, true
		}
		return from.boot.disk.Rename(from.node, oldName, to.node, newName), true
	}))
}

func (fs *FS) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e, status := fs.find(in.NodeId)
	if status != fuse.OK {
		return status
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	if in.Flags&syscall.O_TRUNC != 0 && e.node.Size() > 0 {
		return fuse.Status(fs.truncate(e, 0))
	}
	return fuse.OK
}

func (fs *FS) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e, status := fs.find(in.NodeId)
	if status != fuse.OK {
		return nil, status
	}
	n := e.boot.disk.Read(e.node, buf[:min(len(buf), int(in.Size))], int64(in.Offset))
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

func (fs *FS) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e, status := fs.find(in.NodeId)
	if status != fuse.OK {
		return 0, status
	}
	off := int64(in.Offset)
	op := Op{Kind: Write, Path: e.node.Path(), Off: off, Len: int64(len(data))}
	errno := e.boot.do(op, func() (syscall.Errno, bool) {
		e.boot.disk.Write(e.node, data, off)
		return 0, true
	})
	return uint32(len(data)), fuse.Status(errno)
}

func (fs *FS) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if in.Mode != 0 {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e, status := fs.find(in.NodeId)
	if status != fuse.OK {
		return status
	}
	op := Op{Kind: Allocate, Path: e.node.Path(), Off: int64(in.Offset), Len: int64(in.Length)}
	return fuse.Status(e.boot.do(op, func() (syscall.Errno, bool) {
		if end := op.Off + op.Len; end > e.node.Size() {
			e.boot.disk.Truncate(e.node, end)
		}
		return 0, true
	}))
}

// sync waits as long as a disk would, and makes durable what was written before the call.
func (fs *FS) sync(id uint64, kind Kind) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	e, status := fs.find(id)
	if status != fuse.OK {
		return status
	}
	b := e.boot
	op := Op{Kind: kind, Path: e.node.Path()}
	return fuse.Status(b.do(op, func() (syscall.Errno, bool) {
		began := b.disk.Now()
		if b.options.SyncDelay > 0 {
			fs.mu.Unlock()
			time.Sleep(b.options.SyncDelay)
			fs.mu.Lock()
			if b.off {
				return 0, false
			}
		}
		switch {
		case b.options.Lies != nil && b.options.Lies(op):
		case kind == SyncDir:
			b.disk.SyncDir(e.node, began)
		default:
			b.disk.Sync(e.node, began, kind == DataSync)
		}
		return 0, true
	}))
}

func (fs *FS) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	const dataOnly = 1
	if in.FsyncFlags&dataOnly != 0 {
		return fs.sync(in.NodeId, DataSync)
	}
	return fs.sync(in.NodeId, Sync)
}

func (fs *FS) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return fs.sync(in.NodeId, SyncDir)
}

func (fs *FS) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }
func (fs *FS) Release(<-chan struct{}, *fuse.ReleaseIn)         {}
func (fs *FS) ReleaseDir(*fuse.ReleaseIn)                       {}

func (fs *FS) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.OK }

func (fs *FS) OpenDir(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status { return fuse.OK }

func (fs *FS) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var entries []fuse.DirEntry
	if in.NodeId != fuse.FUSE_ROOT_ID {
		e, status := fs.find(in.NodeId)
		if status != fuse.OK {
			return status
		}
		for _, name := range e.node.List() {
			n := e.node.Lookup(name)
			mode := uint32(fileMode)
			if n.IsDir {
				mode = dirMode
			}
			entries = append(entries, fuse.DirEntry{Name: name, Mode: mode, Ino: n.ID})
		}
	}
	for k := int(in.Offset); k < len(entries); k++ {
		entries[k].Off = uint64(k + 1)
		if !out.AddDirEntry(entries[k]) {
			break
		}
	}
	return fuse.OK
}

func (fs *FS) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	const blocks = 1 << 28 // a terabyte, all free
	*out = fuse.StatfsOut{
		Blocks: blocks, Bfree: blocks, Bavail: blocks, Files: blocks, Ffree: blocks, Bsize: 4096, Frsize: 4096, NameLen: 255,
	}
	return fuse.OK
}

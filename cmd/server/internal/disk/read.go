package disk

import (
	"vitrine/core/api"
	"vitrine/core/driver"
	"vitrine/core/mvcc"
	"vitrine/core/pb"
	"vitrine/core/watch"
)

// Read answers a read, if it is granted in the state that it reads: a short one under the lock, a long one on a view,
// so that no writer waits for it.
func (d *Disk) Read(r *api.ReadReady) (any, error) {
	if !d.readers.Enter() {
		return nil, api.ErrStopped
	}
	defer d.readers.Leave()
	if d.long(r.Body) {
		v, err := d.viewFor(r)
		if err != nil {
			return nil, err
		}
		defer v.Close()
		return driver.ReadView(v, r.Body)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := r.Allowed(d.state.Store); err != nil {
		return nil, err
	}
	return d.state.Store.Read(r.Body)
}

// long tells whether a read may take longer than a writer should wait.
func (d *Disk) long(req any) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return driver.Long(d.state.Store, req, driver.ShortRange)
}

// LeaseKeys are the keys of a lease, of all leases for 0.
func (d *Disk) LeaseKeys(lease int64) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Store.Leases.KeysOf(lease)
}

// view is a stable image of the store for one reader. Opening it takes the write lock for a moment.
func (d *Disk) view() *mvcc.View {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Store.KV.View()
}

// viewFor is a view for a read, if it is granted in the state of the view.
func (d *Disk) viewFor(r *api.ReadReady) (*mvcc.View, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := r.Allowed(d.state.Store); err != nil {
		return nil, err
	}
	return d.state.Store.KV.View(), nil
}

// Part reads the next keys of a range without counting those behind them.
func (d *Disk) Part(r *pb.RangeRequest, ready *api.ReadReady) (*pb.RangeResponse, error) {
	if !d.readers.Enter() {
		return nil, api.ErrStopped
	}
	defer d.readers.Leave()
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := ready.Allowed(d.state.Store); err != nil {
		return nil, err
	}
	return d.state.Store.KV.RangePart(r)
}

// CountAfter counts the keys of a range behind those that were read.
func (d *Disk) CountAfter(r *pb.RangeRequest, kvs []*pb.KeyValue) (int64, error) {
	if !d.readers.Enter() {
		return 0, api.ErrStopped
	}
	defer d.readers.Leave()
	key := append(append([]byte(nil), kvs[len(kvs)-1].Key...), 0)
	v := d.view()
	defer v.Close()
	resp, err := v.Range(&pb.RangeRequest{Key: key, RangeEnd: r.RangeEnd, Revision: r.Revision, CountOnly: true})
	return resp.GetCount(), err
}

// Revision is the store's.
func (d *Disk) Revision() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Store.KV.Revision()
}

// Alarms are the alarms in force.
func (d *Disk) Alarms() []*pb.AlarmMember {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Store.Alarms.List(pb.AlarmType_NONE)
}

// StorageVersion is the version of the database's schema, "" while unknown.
func (d *Disk) StorageVersion() string {
	if !d.readers.Enter() {
		return ""
	}
	defer d.readers.Leave()
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Store.StorageVersion()
}

// Scan reads history for the watch hub.
func (d *Disk) Scan(q watch.Scan) *watch.ScanResult {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.Store.Scan(q)
}

// Status adds what the store knows to what consensus knows.
func (d *Disk) Status(s *pb.StatusResponse) error {
	if !d.readers.Enter() {
		return api.ErrStopped
	}
	defer d.readers.Leave()
	d.mu.RLock()
	st := d.state.Store
	s.DbSize, s.DbSizeInUse = st.Backend.Store().Size(), st.Backend.Store().SizeInUse()
	s.StorageVersion = st.StorageVersion()
	d.mu.RUnlock()
	s.DbSizeQuota = d.Quota()
	return nil
}

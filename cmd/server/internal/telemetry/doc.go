// Package telemetry is what a member tells of itself in numbers: etcd's families of metrics, with etcd's names, labels
// and buckets. What happens is counted by whoever does it (Metrics); what is so is read when somebody asks (Source).
//
//	m := telemetry.New(registry)
//	m.WALSync.Observe(took.Seconds())
//	m.Register(registry, node)
package telemetry

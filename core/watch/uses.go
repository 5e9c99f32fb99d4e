package watch

import "vitrine/core/limits"

// Uses appends how much of its bounds the hub has taken; of what each stream has,
// the most that one has.
func (h *Hub) Uses(dst []limits.Use) []limits.Use {
	pushes, free, watchers := 0, 0, 0
	for _, s := range h.order {
		pushes, free, watchers = max(pushes, s.pushes()-s.free), max(free, s.free), max(watchers, len(s.watchers))
	}
	return append(dst,
		limits.Use{Name: "bytes on their way to all watch streams", Have: max(0, h.bytes-len(h.order)*h.cfg.LeastBytes),
			Limit: h.cfg.TotalBytes + h.cfg.StreamBytes},
		limits.Use{Name: "watch responses on their way to one stream", Have: pushes, Limit: h.cfg.StreamPushes},
		limits.Use{Name: "answers to its requests on their way to one stream", Have: free, Limit: limits.WatchControlPushes},
		limits.Use{Name: "watchers of one stream", Have: watchers, Limit: limits.MaxWatchersPerStream},
		limits.Use{Name: "scans for watchers", Have: len(h.scans), Limit: h.cfg.Scans},
		limits.Use{Name: "recent revisions for watchers", Have: len(h.recent.changes), Limit: h.cfg.RecentRevisions},
		limits.Use{Name: "bytes of recent revisions for watchers", Have: h.recent.bytes, Limit: h.cfg.RecentBytes},
	)
}

// Held appends what the hub keeps for its streams. Where every client has read everything, only streams and watchers
// are left.
func (h *Hub) Held(dst []limits.Use) []limits.Use {
	c, pushes, bytes := h.Counts(), 0, 0
	for _, s := range h.order {
		pushes += s.pushes()
		bytes += s.bytes
	}
	return append(dst,
		limits.Use{Name: "watch streams", Have: c.Streams}, limits.Use{Name: "watchers", Have: c.Watchers},
		limits.Use{Name: "watchers behind", Have: c.Behind}, limits.Use{Name: "scans", Have: c.Scans},
		limits.Use{Name: "watchers in the index", Have: h.synced.size + h.behind.Len()},
		limits.Use{Name: "watch responses on their way", Have: pushes},
		limits.Use{Name: "bytes of watch responses on their way", Have: bytes},
	)
}

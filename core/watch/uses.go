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
		limits.Use{Name: "watch responses on their way to one stream", Have: pushes, Limit: h.cfg.StreamPushes},
		limits.Use{Name: "answers to its requests on their way to one stream", Have: free, Limit: limits.WatchControlPushes},
		limits.Use{Name: "watchers of one stream", Have: watchers, Limit: limits.MaxWatchersPerStream},
		limits.Use{Name: "scans for watchers", Have: len(h.scans), Limit: h.cfg.Scans},
		limits.Use{Name: "recent revisions for watchers", Have: len(h.recent.changes), Limit: h.cfg.RecentRevisions},
		limits.Use{Name: "bytes of recent revisions for watchers", Have: h.recent.bytes, Limit: h.cfg.RecentBytes},
	)
}

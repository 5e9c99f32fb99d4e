package watch

// line is the watchers of one stream that are behind, in the order in which they are served. Those at its head are
// admitted to catching up: as many as the stream can be expected to take, so that a stream with a hundred thousand
// watchers and credit for a hundred responses does not move all of them each time.
type line struct {
	head, tail *watcher
	waiting    *watcher // the first that is not admitted; nil if all are
	length     int
	admitted   int
}

// push adds a watcher to the end, not admitted.
func (l *line) push(w *watcher) {
	w.behind, w.before, w.after = true, l.tail, nil
	if l.tail != nil {
		l.tail.after = w
	} else {
		l.head = w
	}
	l.tail = w
	if l.waiting == nil {
		l.waiting = w
	}
	l.length++
}

// remove takes a watcher out, wherever it is.
func (l *line) remove(w *watcher) {
	if l.waiting == w {
		l.waiting = w.after
	}
	if w.before != nil {
		w.before.after = w.after
	} else {
		l.head = w.after
	}
	if w.after != nil {
		w.after.before = w.before
	} else {
		l.tail = w.before
	}
	if w.admitted {
		l.admitted--
	}
	l.length--
	w.behind, w.admitted, w.before, w.after = false, false, nil, nil
}

// admit admits the next watcher, nil if none waits.
func (l *line) admit() *watcher {
	w := l.waiting
	if w != nil {
		w.admitted = true
		l.waiting = w.after
		l.admitted++
	}
	return w
}

// dismiss takes back all admissions, and tells fn of each.
func (l *line) dismiss(fn func(*watcher)) {
	for w := l.head; w != l.waiting; w = w.after {
		w.admitted = false
		fn(w)
	}
	l.waiting, l.admitted = l.head, 0
}

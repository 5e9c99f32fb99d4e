package v2

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"vitrine/core/limits"
)

// request is what a client asks of a node.
type request struct {
	method               string
	path                 string
	value                string
	dir                  bool
	prevValue            string // empty: it is not compared
	prevIndex            int64  // 0: it is not compared
	prevExist            *bool  // nil: it is not asked
	wait, stream         bool
	since                int64
	recursive, sorted    bool
	quorum               bool
	ttl                  *int64 // seconds
	refresh, withoutNode bool
}

// parse reads the fields of a request, in the order in which etcd complains of them.
func parse(r *http.Request) (*request, *Error) {
	if err := r.ParseForm(); err != nil {
		return nil, fail(codeForm, err.Error(), 0)
	}
	q := &request{method: r.Method, path: clean(r.URL.Path[len(keysPrefix):]), value: r.FormValue("value"),
		prevValue: r.FormValue("prevValue")}
	if strings.Count(q.path, "/") > limits.V2Depth {
		return nil, fail(codeForm, "the path has more than "+strconv.Itoa(limits.V2Depth)+" parts", 0)
	}
	for _, f := range []struct {
		name string
		to   *int64
	}{{"prevIndex", &q.prevIndex}, {"waitIndex", &q.since}} {
		if !number(r.Form, f.name, f.to) {
			return nil, fail(codeIndex, `invalid value for "`+f.name+`"`, 0)
		}
	}
	for _, f := range []struct {
		name string
		to   *bool
	}{{"recursive", &q.recursive}, {"sorted", &q.sorted}, {"wait", &q.wait}, {"dir", &q.dir}, {"quorum", &q.quorum},
		{"stream", &q.stream}} {
		if !truth(r.Form, f.name, f.to) {
			return nil, fail(codeField, `invalid value for "`+f.name+`"`, 0)
		}
	}
	if q.wait && r.Method != http.MethodGet {
		return nil, fail(codeField, `"wait" can only be used with GET requests`, 0)
	}
	if r.Form.Has("prevValue") && q.prevValue == "" {
		return nil, fail(codePrevValue, `"prevValue" cannot be empty`, 0)
	}
	if !truth(r.Form, "noValueOnSuccess", &q.withoutNode) {
		return nil, fail(codeField, `invalid value for "noValueOnSuccess"`, 0)
	}
	return q, q.parseTTL(r.Form)
}

// parseTTL reads what is about time, and prevExist, which comes between.
func (q *request) parseTTL(form url.Values) *Error {
	if form.Get("ttl") != "" {
		q.ttl = new(int64)
		if !number(form, "ttl", q.ttl) || *q.ttl > math.MaxInt64/int64(time.Second) {
			return fail(codeTTL, `invalid value for "ttl"`, 0)
		}
	}
	if form.Has("prevExist") {
		q.prevExist = new(bool)
		if !truth(form, "prevExist", q.prevExist) {
			return fail(codeField, "invalid value for prevExist", 0)
		}
	}
	switch {
	case !truth(form, "refresh", &q.refresh):
		return fail(codeField, "invalid value for refresh", 0)
	case q.refresh && q.value != "":
		return fail(codeRefreshValue, "A value was provided on a refresh", 0)
	case q.refresh && q.ttl == nil:
		return fail(codeRefreshTTL, "No TTL value set", 0)
	}
	return nil
}

// number reads a number that is not negative. An index beyond what a revision can be is as far as it goes.
func number(form url.Values, name string, to *int64) bool {
	values, ok := form[name]
	if !ok {
		return true
	}
	n, err := strconv.ParseUint(values[0], 10, 64)
	*to = int64(min(n, math.MaxInt64-1))
	return err == nil
}

func truth(form url.Values, name string, to *bool) bool {
	values, ok := form[name]
	if !ok {
		return true
	}
	var err error
	*to, err = strconv.ParseBool(values[0])
	return err == nil
}

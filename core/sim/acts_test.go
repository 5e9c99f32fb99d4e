package sim

import (
	"testing"

	"vitrine/core/script"
)

// TestEveryVerbHasAnAct: what can be said can be done.
func TestEveryVerbHasAnAct(t *testing.T) {
	acts, w := newActs(), quiet(t, nil)
	for _, v := range script.Verbs() {
		a := acts[v.Name]
		if a == nil && !w.clients.Does(v.Name) || a != nil && a.perform == nil {
			t.Errorf("nothing is done for %s", v.Name)
		}
		delete(acts, v.Name)
	}
	for name := range acts {
		t.Errorf("%s is done and is no verb", name)
	}
}

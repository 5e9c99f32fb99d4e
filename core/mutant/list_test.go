package mutant

import "testing"

func TestListIsComplete(t *testing.T) {
	names := map[string]bool{}
	for i, info := range List() {
		if int(info.ID) != i+1 {
			t.Errorf("%s stands at %d of the list and has number %d", info.Name, i+1, info.ID)
		}
		if names[info.Name] || info.Name == "" || info.Story == "" || info.Source == "" || len(info.Convicts) == 0 ||
			info.Seeds < 1 {
			t.Errorf("incomplete or repeated: %+v", info)
		}
		if info.Seeds > 300 {
			t.Errorf("%s may take %d seeds: a bug that rare needs a moment of its own", info.Name, info.Seeds)
		}
		names[info.Name] = true
		if got, err := Find(info.Name); err != nil || got != info.ID || got.String() != info.Name {
			t.Errorf("Find(%q) = %v, %v", info.Name, got, err)
		}
	}
	if len(names) != int(count)-1 {
		t.Errorf("%d mutants are listed of %d", len(names), count-1)
	}
	if _, err := Find("no-such-mutant"); err == nil {
		t.Error("Find made up a mutant")
	}
}

func TestOnlyOneLives(t *testing.T) {
	for _, info := range List() {
		Plant(info.ID)
		for _, other := range List() {
			if want := Enabled && other.ID == info.ID; On(other.ID) != want {
				t.Errorf("with %v planted, On(%v) = %v", info.ID, other.ID, !want)
			}
		}
	}
	Plant(None)
}

package logs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func write(t *testing.T, level, format string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	log, err := New(Options{Level: level, Format: format, Outputs: []string{path, path}})
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("hidden")
	log.Info("ready to serve client requests", zap.Duration("took", time.Second))
	if err := log.Sync(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestJSONLineIsEtcds(t *testing.T) {
	line := write(t, "info", "json")
	var fields map[string]string
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if !strings.HasPrefix(line, `{"level":"info","ts":"`) || strings.Count(line, "\n") != 1 {
		t.Errorf("line %q", line)
	}
	for key, pattern := range map[string]string{
		"level": "^info$", "ts": `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d{4})$`, "caller": `^logs/logs_test\.go:\d+$`,
		"msg": "^ready to serve client requests$", "took": "^1s$",
	} {
		if !regexp.MustCompile(pattern).MatchString(fields[key]) {
			t.Errorf("%s is %q", key, fields[key])
		}
	}
}

func TestConsoleAndLevels(t *testing.T) {
	if line := write(t, "info", "console"); !strings.Contains(line, "\tinfo\t") ||
		!strings.Contains(line, "\tready to serve client requests\t") {
		t.Errorf("line %q", line)
	}
	if line := write(t, "error", "json"); line != "" {
		t.Errorf("at level error: %q", line)
	}
	if _, err := New(Options{Level: "loud", Format: "json"}); err == nil {
		t.Error("a level that does not exist was taken")
	}
}

func TestOutputThatCannotBeOpened(t *testing.T) {
	_, err := New(Options{Level: "info", Format: "json",
		Outputs: []string{filepath.Join(t.TempDir(), "none", "log")}})
	if err == nil || !strings.Contains(err.Error(), "--log-outputs") {
		t.Errorf("error %v", err)
	}
}

// A file that is large enough makes room for the next one.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	log, err := New(Options{Level: "info", Format: "json", Outputs: []string{filepath.Join(dir, "log")},
		Rotation: `{"maxsize": 1, "maxbackups": 2, "compress": false}`})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 100<<10)
	for i := range 35 {
		log.Info("a long line", zap.Int("i", i), zap.String("x", long))
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Errorf("%d files (%v)", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Size() > 1<<20 {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	for _, bad := range []struct {
		outputs []string
		how     string
		want    string
	}{
		{[]string{"stderr"}, "{}", ErrRotationOutput.Error()}, {[]string{"a", "b"}, "{}", ErrRotationOutput.Error()},
		{[]string{dir + "/a"}, "{", "improperly formatted log rotation config"},
		{[]string{dir + "/a"}, `{"maxsize":"x"}`, "invalid log rotation config"},
	} {
		_, err := New(Options{Level: "info", Format: "json", Outputs: bad.outputs, Rotation: bad.how})
		if err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%v %s: %v", bad.outputs, bad.how, err)
		}
	}
}

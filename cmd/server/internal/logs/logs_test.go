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
	log, err := New(level, format, []string{path, path})
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
	if _, err := New("loud", "json", nil); err == nil {
		t.Error("a level that does not exist was taken")
	}
}

func TestOutputThatCannotBeOpened(t *testing.T) {
	_, err := New("info", "json", []string{filepath.Join(t.TempDir(), "none", "log")})
	if err == nil || !strings.Contains(err.Error(), "--log-outputs") {
		t.Errorf("error %v", err)
	}
}

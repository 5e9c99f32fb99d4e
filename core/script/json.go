package script

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// A Message is a command in JSON that has been taken apart once. Its fields are
// read when it is known whose command it is: the world's (Command), or of
// somebody who has verbs of his own (Into).
type Message struct {
	Cmd    string
	fields map[string]json.RawMessage // without the verb
}

// Decode takes a message apart. It knows no verbs.
func Decode(data []byte) (m Message, err error) {
	if err := json.Unmarshal(data, &m.fields); err != nil {
		return m, fmt.Errorf("command: %w", err)
	}
	verb := m.fields["cmd"]
	if len(verb) == 0 {
		return m, errors.New("command: cmd is missing")
	}
	delete(m.fields, "cmd")
	if err := read("cmd", verb, &m.Cmd); err != nil {
		return m, err
	}
	if m.Cmd == "" {
		return m, errors.New("command: cmd is missing")
	}
	return m, nil
}

// Has reports whether a field is given, and more than nothing.
func (m *Message) Has(name string) bool {
	switch string(m.fields[name]) {
	case "", "0", "null", `""`, "false":
		return false
	}
	return true
}

// Into reads all fields into the places under their names. A field without a place
// is refused: most often it is a slip of the keyboard, which would otherwise do
// something else in silence.
func (m *Message) Into(places map[string]any) error {
	for _, name := range sortedNames(m.fields) {
		place, known := places[name]
		if !known {
			return fmt.Errorf("command: there is no field %q", name)
		}
		if err := read(name, m.fields[name], place); err != nil {
			return err
		}
	}
	return nil
}

func sortedNames(fields map[string]json.RawMessage) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Command reads a command of a world.
func (m *Message) Command() (Command, error) {
	c := Command{Cmd: m.Cmd}
	if _, err := verbNamed(c.Cmd); err != nil {
		return c, err
	}
	places := make(map[string]any, len(table))
	for i := range table {
		places[table[i].name] = table[i].of(&c)
	}
	places["value"] = (*textOrNumber)(&c.Value)
	return c, m.Into(places)
}

// UnmarshalJSON reads the fields that a command has and passes over others. It
// takes the value as a text or a number, so that a page may write
// {cmd: "set", name: "loss", value: 0.1}.
func (c *Command) UnmarshalJSON(data []byte) error {
	m, err := Decode(data)
	if err != nil {
		return err
	}
	maps.DeleteFunc(m.fields, func(name string, _ json.RawMessage) bool { return fieldNamed(name) == nil })
	*c, err = m.Command()
	return err
}

// ParseJSON reads a command in JSON, with no field that it does not have.
func ParseJSON(data []byte) (Command, error) {
	m, err := Decode(data)
	if err != nil {
		return Command{}, err
	}
	return m.Command()
}

// textOrNumber keeps a number as it was written.
type textOrNumber string

// UnmarshalJSON implements json.Unmarshaler.
func (t *textOrNumber) UnmarshalJSON(data []byte) error {
	switch {
	case string(data) == "null":
		return nil
	case data[0] == '"':
		return json.Unmarshal(data, (*string)(t))
	case data[0] == '{' || data[0] == '[':
		return errors.New("value is neither text nor a number")
	}
	*t = textOrNumber(data)
	return nil
}

// read reads one field. An error says what is wrong to somebody who has never
// seen its Go type.
func read(name string, data json.RawMessage, place any) error {
	err := json.Unmarshal(data, place)
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &kind):
		return fmt.Errorf("command: %w", err)
	}
	if kind.Field != "" {
		name += "." + kind.Field
	}
	want := "another kind of value"
	switch kind.Type.Kind() {
	case reflect.Uint64:
		want = "a whole number that is not negative"
	case reflect.Int, reflect.Int64:
		want = "a whole number"
	case reflect.Float64:
		want = "a number"
	case reflect.String:
		want = "a text"
	case reflect.Bool:
		want = "true or false"
	case reflect.Slice, reflect.Array:
		want = "a list"
	}
	return fmt.Errorf("command: %s is %s, and should be %s", name, kind.Value, want)
}

package bpmn

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of a file.
const (
	maxBytes = 4 << 20
	maxDepth = 64
	maxNodes = 100_000
)

// Namespaces, which are what counts; the prefixes are the author's own.
const (
	nsModel  = "http://www.omg.org/spec/BPMN/20100524/MODEL"
	nsZeebe  = "http://camunda.org/schema/zeebe/1.0"
	nsSchema = "http://www.w3.org/2001/XMLSchema-instance"
)

// tag is one XML element with what it holds.
type tag struct {
	space, name string
	attrs       []xml.Attr
	children    []*tag
	text        string // its own text, not its children's
}

// attr is an attribute without a namespace, or empty.
func (t *tag) attr(name string) string {
	for i := range t.attrs {
		if t.attrs[i].Name.Space == "" && t.attrs[i].Name.Local == name {
			return t.attrs[i].Value
		}
	}
	return ""
}

// has tells whether an attribute without a namespace is present.
func (t *tag) has(name string) bool {
	for i := range t.attrs {
		if t.attrs[i].Name.Space == "" && t.attrs[i].Name.Local == name {
			return true
		}
	}
	return false
}

func (t *tag) is(space, name string) bool { return t.space == space && t.name == name }

// child is the first child of a name, or nil.
func (t *tag) child(space, name string) *tag {
	for _, c := range t.children {
		if c.is(space, name) {
			return c
		}
	}
	return nil
}

// extension is the first child of the Zeebe namespace in extensionElements, or nil.
func (t *tag) extension(name string) *tag {
	if ext := t.child(nsModel, "extensionElements"); ext != nil {
		return ext.child(nsZeebe, name)
	}
	return nil
}

// decoder reads UTF-8 and the Latin-1 that older modellers write.
func decoder(file []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(file))
	d.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "utf-8", "us-ascii", "ascii":
			return input, nil
		case "iso-8859-1", "latin1":
			return &latin1{input: input}, nil
		}
		return nil, fmt.Errorf("the encoding %q is not supported; save the file as UTF-8", clip(charset))
	}
	return d
}

// latin1 reads ISO 8859-1 as UTF-8. The decoder asks for small pieces, so one byte at
// a time costs nothing that matters.
type latin1 struct {
	input io.Reader
	rest  [1]byte // the second byte of a character that did not fit
	held  bool
}

func (l *latin1) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if l.held {
		p[0], l.held = l.rest[0], false
		return 1, nil
	}
	n, err := l.input.Read(p[:1])
	if n == 1 && p[0] >= 0x80 {
		l.rest[0], l.held = p[0]&0x3F|0x80, true
		p[0] = p[0]>>6 | 0xC0
	}
	return n, err
}

// read builds the tree of a file within the limits. Document type declarations are
// refused, and with them every entity the file might define.
func read(file []byte) (*tag, error) {
	if len(file) > maxBytes {
		return nil, fmt.Errorf("the file is larger than %d MiB", maxBytes>>20)
	}
	d := decoder(file)
	var root *tag
	var open []*tag
	var text [][]byte // of each open element
	nodes := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not well-formed XML: %w", err)
		}
		switch token := token.(type) {
		case xml.Directive:
			return nil, errors.New("document type declarations and entities are refused")
		case xml.StartElement:
			nodes += 1 + len(token.Attr)
			if nodes > maxNodes || len(open) >= maxDepth {
				return nil, fmt.Errorf("more than %d elements and attributes, or nested deeper than %d", maxNodes, maxDepth)
			}
			t := &tag{space: token.Name.Space, name: token.Name.Local, attrs: token.Attr}
			switch {
			case len(open) > 0:
				parent := open[len(open)-1]
				parent.children = append(parent.children, t)
			case root == nil:
				root = t
			default:
				return nil, errors.New("not well-formed XML: more than one root element")
			}
			open = append(open, t)
			text = append(text, nil)
		case xml.EndElement:
			last := len(open) - 1
			open[last].text = strings.TrimSpace(string(text[last]))
			open, text = open[:last], text[:last]
		case xml.CharData:
			if len(text) > 0 {
				text[len(text)-1] = append(text[len(text)-1], token...)
			}
		}
	}
	if root == nil {
		return nil, errors.New("not well-formed XML: no root element")
	}
	return root, nil
}

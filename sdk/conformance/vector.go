package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Vector is one conversation between host and connector.
type Vector struct {
	File  string
	Line  int    // of the trigger
	Title string // of the comment above it, may be empty

	request *sdkv1.StepRequest // configuration, trigger and seed
	blocks  []*block           // the trigger's block, then those of the answers
}

// Name is file:line, and the title if there is one.
func (v *Vector) Name() string {
	name := fmt.Sprintf("%s:%d", filepath.Base(v.File), v.Line)
	if v.Title != "" {
		name += " " + v.Title
	}
	return name
}

// block is a stretch of a file up to an empty line.
type block struct {
	line    int      // of the first line above the dashes that is not a comment
	above   []string // as written, comments included
	below   []string
	dashed  bool
	answers []timedAnswer
}

// timedAnswer is an answer and how long it took.
type timedAnswer struct {
	answer *sdkv1.Answer
	after  time.Duration
}

func (b *block) want() string { return strings.Join(b.below, "\n") }

// vectorFile is a parsed file. It keeps the blocks in order so that it can be
// written back.
type vectorFile struct {
	path    string
	blocks  []*block
	vectors []*Vector
}

// Load reads every vector of dir/testdata/*.txt, in the order of file names.
func Load(dir string) ([]*Vector, error) {
	files, err := loadFiles(dir)
	if err != nil {
		return nil, err
	}
	var out []*Vector
	for _, f := range files {
		out = append(out, f.vectors...)
	}
	return out, nil
}

func loadFiles(dir string) ([]*vectorFile, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "testdata", "*.txt"))
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	sort.Strings(paths)
	var out []*vectorFile
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("conformance: %w", err)
		}
		f, err := parseFile(path, string(text))
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// ParseError says where a vector file is not as the package comment describes.
type ParseError struct {
	File string
	Line int
	Text string
}

func (e *ParseError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

func parseFile(path, text string) (*vectorFile, error) {
	f := &vectorFile{path: path, blocks: splitBlocks(text)}
	var settings settings
	var current *Vector
	for _, b := range f.blocks {
		lines, title := b.directives()
		if len(lines) == 0 {
			if b.dashed {
				return nil, &ParseError{path, b.line, "nothing above the dashes"}
			}
			continue // a comment that stands alone
		}
		var err error
		switch word := lines[0].word; {
		case !b.dashed:
			current = nil
			err = settings.parse(lines)
		case word == "answer":
			if current == nil {
				err = lines[0].errorf("an answer before any trigger")
				break
			}
			b.answers, err = parseAnswers(lines)
			current.blocks = append(current.blocks, b)
		default:
			current = &Vector{File: path, Line: b.line, Title: title, blocks: []*block{b}}
			current.request, err = settings.parseTrigger(lines)
			f.vectors = append(f.vectors, current)
		}
		if err != nil {
			if p, ok := errors.AsType[*ParseError](err); ok {
				p.File = path
			}
			return nil, err
		}
	}
	return f, nil
}

func splitBlocks(text string) []*block {
	var out []*block
	var b *block
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			b = nil
			continue
		case b == nil:
			b = &block{line: i + 1}
			out = append(out, b)
		}
		switch {
		case b.dashed:
			b.below = append(b.below, line)
		case line == "----":
			b.dashed = true
		default:
			b.above = append(b.above, line)
		}
	}
	return out
}

// directive is a line above the dashes, cut at its first blank.
type directive struct {
	line       int
	word, rest string
}

func (d directive) errorf(format string, args ...any) error {
	return &ParseError{Line: d.line, Text: fmt.Sprintf(format, args...)}
}

// directives are the block's lines without comments; title is its first comment.
func (b *block) directives() (lines []directive, title string) {
	first := b.line
	for i, line := range b.above {
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			if title == "" {
				title = strings.TrimSpace(comment)
			}
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if len(lines) == 0 {
			b.line = first + i
		}
		lines = append(lines, directive{first + i, word, rest})
	}
	return lines, title
}

// rewrite writes the file with what the connector answered below the dashes.
// observed holds one text per block of a vector; a block without one keeps what
// it has.
func (f *vectorFile) rewrite(observed map[*block]string) error {
	var out strings.Builder
	for i, b := range f.blocks {
		if i > 0 {
			out.WriteByte('\n')
		}
		for _, line := range b.above {
			out.WriteString(line + "\n")
		}
		if !b.dashed {
			continue
		}
		below, ok := observed[b]
		if !ok {
			below = b.want()
		}
		out.WriteString("----\n" + below + "\n")
	}
	if err := os.WriteFile(f.path, []byte(out.String()), 0o644); err != nil {
		return fmt.Errorf("conformance: rewriting: %w", err)
	}
	return nil
}

package secret

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// special are the bytes at which an escape may begin, or a break of a line.
var special = [256]bool{'%': true, '\\': true, '&': true, '=': true, '+': true, '\r': true, '\n': true}

// escapes calls yield with what the escape at a place of the text stands for, and
// its size; with an empty text for a break of a line, which stands for nothing. There
// may be none, or several ways to read it.
func escapes(text string, i int, yield func(decoded string, size int)) {
	rest := text[i:]
	switch rest[0] {
	case '%':
		if b, ok := hexByte(rest, 1); ok {
			yield(string([]byte{b}), 3)
		}
	case '=':
		if b, ok := hexByte(rest, 1); ok {
			yield(string([]byte{b}), 3)
		}
		if strings.HasPrefix(rest, "=\r\n") {
			yield("", 3)
		}
	case '+':
		yield(" ", 1)
	case '\r', '\n':
		size := 1
		for size < len(rest) && (rest[size] == '\r' || rest[size] == '\n') {
			size++
		}
		yield("", size)
		// Blanks that follow belong to the break, or to the secret.
		for blanks := 0; blanks < 8 && size < len(rest) && (rest[size] == ' ' || rest[size] == '\t'); blanks++ {
			size++
			yield("", size)
		}
	case '\\':
		backslash(rest, yield)
	case '&':
		entity(rest, yield)
	}
}

func hexByte(s string, at int) (byte, bool) {
	if at+2 > len(s) {
		return 0, false
	}
	n, err := strconv.ParseUint(s[at:at+2], 16, 8)
	return byte(n), err == nil
}

// backslash reads an escape of JSON, JavaScript or C.
func backslash(s string, yield func(string, int)) {
	if len(s) < 2 {
		return
	}
	switch c := s[1]; c {
	case 'u':
		r, ok := hexRune(s)
		if !ok {
			return
		}
		if second, ok := hexRune(s[6:]); utf16.IsSurrogate(r) && ok {
			yield(string(utf16.DecodeRune(r, second)), 12)
			return
		}
		yield(string(r), 6)
	case 'x':
		if b, ok := hexByte(s, 2); ok {
			yield(string([]byte{b}), 4)
		}
	case 'n', 'r':
		// The character itself, or a break of a line.
		if c == 'n' {
			yield("\n", 2)
		} else {
			yield("\r", 2)
		}
		yield("", 2)
	case 't':
		yield("\t", 2)
	case 'b':
		yield("\b", 2)
	case 'f':
		yield("\f", 2)
	default:
		yield(s[1:2], 2)
	}
}

// hexRune reads \uXXXX.
func hexRune(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}

var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'", "sol": "/", "plus": "+", "equals": "=", "colon": ":"}

// entity reads a reference of HTML or XML.
func entity(s string, yield func(string, int)) {
	end := strings.IndexByte(s[:min(len(s), 12)], ';')
	if end < 2 {
		return
	}
	name := s[1:end]
	if plain, ok := entities[name]; ok {
		yield(plain, end+1)
		return
	}
	if name[0] != '#' {
		return
	}
	digits, base := name[1:], 10
	if strings.HasPrefix(digits, "x") || strings.HasPrefix(digits, "X") {
		digits, base = digits[1:], 16
	}
	if n, err := strconv.ParseUint(digits, base, 21); err == nil {
		yield(string(rune(n)), end+1)
	}
}

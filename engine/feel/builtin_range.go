package feel

import "strings"

// intervals are Allen's relations between points and ranges (DMN 1.3, table 77). A
// point counts as the range from itself to itself.
var intervals = []builtin{
	relation("before", func(a, b *interval) (bool, bool) {
		order, ok := compare(a.high, b.low)
		return order < 0 || order == 0 && (!a.highClosed || !b.lowClosed), ok
	}, "point1 point2", "point range", "range point", "range1 range2"),
	relation("after", func(a, b *interval) (bool, bool) {
		order, ok := compare(a.low, b.high)
		return order > 0 || order == 0 && (!a.lowClosed || !b.highClosed), ok
	}, "point1 point2", "point range", "range point", "range1 range2"),
	relation("meets", func(a, b *interval) (bool, bool) {
		order, ok := compare(a.high, b.low)
		return order == 0 && a.highClosed && b.lowClosed, ok
	}, "range1 range2"),
	relation("met by", func(a, b *interval) (bool, bool) {
		order, ok := compare(a.low, b.high)
		return order == 0 && a.lowClosed && b.highClosed, ok
	}, "range1 range2"),
	relation("overlaps", func(a, b *interval) (bool, bool) {
		left, ok := compare(a.high, b.low)
		right, ok2 := compare(a.low, b.high)
		return (left > 0 || left == 0 && a.highClosed && b.lowClosed) &&
			(right < 0 || right == 0 && a.lowClosed && b.highClosed), ok && ok2
	}, "range1 range2"),
	relation("overlaps before", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		meets, ok3 := compare(a.high, b.low)
		return starts < 0 && (meets > 0 || meets == 0 && a.highClosed && b.lowClosed) && ends < 0, ok && ok2 && ok3
	}, "range1 range2"),
	relation("overlaps after", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		meets, ok3 := compare(a.low, b.high)
		return starts > 0 && (meets < 0 || meets == 0 && a.lowClosed && b.highClosed) && ends > 0, ok && ok2 && ok3
	}, "range1 range2"),
	relation("finishes", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		return starts >= 0 && ends == 0, ok && ok2
	}, "point range", "range1 range2"),
	relation("finished by", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		return starts <= 0 && ends == 0, ok && ok2
	}, "range point", "range1 range2"),
	relation("includes", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		return starts <= 0 && ends >= 0, ok && ok2
	}, "range point", "range1 range2"),
	relation("during", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		return starts >= 0 && ends <= 0, ok && ok2
	}, "point range", "range1 range2"),
	relation("starts", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		return starts == 0 && ends <= 0, ok && ok2
	}, "point range", "range1 range2"),
	relation("started by", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		return starts == 0 && ends >= 0, ok && ok2
	}, "range point", "range1 range2"),
	relation("coincides", func(a, b *interval) (bool, bool) {
		starts, ok := starts(a, b)
		ends, ok2 := ends(a, b)
		return starts == 0 && ends == 0, ok && ok2
	}, "point1 point2", "range1 range2"),
}

// relation makes the function of a relation; each form is its two parameters' names.
func relation(name string, holds func(a, b *interval) (bool, bool), forms ...string) builtin {
	b := builtin{name: name}
	for _, form := range forms {
		b.forms = append(b.forms, strings.Fields(form))
	}
	b.call = func(r *run, args []Value) Value {
		x, xOK := asInterval(args[0])
		y, yOK := asInterval(args[1])
		if !xOK || !yOK {
			return Null
		}
		answer, ok := holds(x, y)
		if !ok {
			return r.warn(name, " of values that have no order")
		}
		return Bool(answer)
	}
	return b
}

func asInterval(v Value) (*interval, bool) {
	v = one(v)
	if i, ok := v.ref.(*interval); ok {
		return i, true
	}
	if _, ok := compare(v, v); !ok {
		return nil, false
	}
	return &interval{low: v, high: v, lowClosed: true, highClosed: true}, true
}

// starts orders where two ranges begin: a closed start lies before an open one at
// the same value.
func starts(a, b *interval) (int, bool) {
	order, ok := compare(a.low, b.low)
	if order == 0 && a.lowClosed != b.lowClosed {
		if a.lowClosed {
			return -1, ok
		}
		return 1, ok
	}
	return order, ok
}

// ends orders where two ranges end: a closed end lies after an open one.
func ends(a, b *interval) (int, bool) {
	order, ok := compare(a.high, b.high)
	if order == 0 && a.highClosed != b.highClosed {
		if a.highClosed {
			return 1, ok
		}
		return -1, ok
	}
	return order, ok
}

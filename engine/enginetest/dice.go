package enginetest

// dice is the simulation's source of chance: SplitMix64 (Steele, Lea, Flood:
// "Fast Splittable Pseudorandom Number Generators", 2014). A seed repeats a run on
// any machine and any Go version, which math/rand does not promise.
type dice uint64

func (d *dice) IntN(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

func (d *dice) of(names []string) string { return names[d.IntN(len(names))] }

package host

// FuelMax is how much fuel a step may use. After it the step ends with a trap.
func (m *Module) FuelMax() int64 { return m.fuel }

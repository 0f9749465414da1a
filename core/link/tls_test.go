package link_test

import "testing"

func secretsDir(t *testing.T) string { return t.TempDir() }

package consume_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func createTopic(t testing.TB, client *kgo.Client, topic string, partitions int32) error {
	t.Helper()
	_, err := kadm.NewClient(client).CreateTopic(t.Context(), partitions, 1, nil, topic)
	return err
}

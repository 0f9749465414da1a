package main

import (
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// confirm asks the payer to accept the quote. With auto_confirm, which is Payment
// Hub EE's behaviour, the channel has asked before it sent the transfer.
func confirm(c *connector.Context, job *connector.Job) connector.Outcome {
	cfg, problem := configOf(c)
	if problem != "" {
		return connector.Fail("CONFIGURATION", problem)
	}
	if cfg.AutoConfirm {
		if err := c.Publish(connector.Message{
			Name: "accept-quote", Key: transactionID(job), ID: "accept-quote/" + job.Payment, TTL: 10 * time.Minute,
			Variables: connector.Vars{"payerConfirmed": true},
		}); err != nil {
			return connector.Fail("PUBLISH", err.Error()).Retry(time.Second)
		}
	}
	return connector.Complete(nil)
}

func tellSuccess(c *connector.Context, job *connector.Job) connector.Outcome {
	return tell(c, job, "channel-success", "COMMITTED")
}

func tellError(c *connector.Context, job *connector.Job) connector.Outcome {
	return tell(c, job, "channel-error", "ABORTED")
}

func tellUnknown(c *connector.Context, job *connector.Job) connector.Outcome {
	return tell(c, job, "channel-unknown", "RECEIVED")
}

// tell writes the outcome on the payment's timeline and, when a callback is
// configured, posts it to the channel. A channel that cannot be reached does not
// hold up the payment: after the job's retries that is written down too.
func tell(c *connector.Context, job *connector.Job, event, state string) connector.Outcome {
	cfg, problem := configOf(c)
	if problem != "" {
		return connector.Fail("CONFIGURATION", problem)
	}
	said := connector.Vars{
		"transactionId": transactionID(job), "clientCorrelationId": job.String("clientCorrelationId"), "transferState": state,
	}
	if code := job.String("errorCode"); code != "" && state != "COMMITTED" {
		said["errorCode"] = code
	}
	// A later attempt has written it already, unless writing was what failed; and
	// without a callback nothing else can.
	if job.Attempt <= 1 || cfg.CallbackPath == "" {
		if err := c.Emit(event, said); err != nil {
			return connector.Fail("EMIT", err.Error()).Retry(time.Second)
		}
	}
	if cfg.CallbackPath == "" {
		return connector.Complete(nil)
	}
	if information := job.String("errorInformation"); information != "" && state != "COMMITTED" {
		said["errorInformation"] = information
	}
	response, err := c.HTTP(connector.HTTP{
		Endpoint: "callback", Method: "POST", Path: cfg.CallbackPath,
		Headers: map[string]string{"content-type": "application/json"}, Body: said.JSON(),
	})
	if err == nil && response.Status/100 == 2 {
		return connector.Complete(nil)
	}
	reason := "the channel refused the callback"
	if err != nil {
		reason = err.Error()
	}
	if job.Retries > 0 {
		return connector.Fail("CHANNEL_CALLBACK", reason).Retry(time.Second << min(job.Attempt-1, 6))
	}
	if err := c.Emit("channel-callback-undelivered", connector.Vars{"transactionId": transactionID(job), "reason": reason}); err != nil {
		return connector.Fail("EMIT", err.Error()).Retry(time.Second)
	}
	return connector.Complete(nil)
}

// callOperator writes down that a person is needed, and forgets what a person said
// before: the flow is about to wait for a new decision.
func callOperator(c *connector.Context, job *connector.Job) connector.Outcome {
	detail := connector.Vars{"transactionId": transactionID(job), "asks": job.Type, "element": job.Element}
	for _, name := range []string{"transferState", "errorCode"} {
		if value := job.String(name); value != "" {
			detail[name] = value
		}
	}
	if err := c.Emit("operator-needed", detail); err != nil {
		return connector.Fail("EMIT", err.Error()).Retry(time.Second)
	}
	return connector.Complete(connector.Vars{"operatorManualOverride": false, "operatorDecision": nil})
}

// transactionID is the payment's id as the flow knows it.
func transactionID(job *connector.Job) string {
	if id := job.String("transactionId"); id != "" {
		return id
	}
	return job.Payment
}

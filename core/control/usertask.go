package control

import (
	"context"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// One call of ListUserTasks looks at so many rows, in parts: while a part is read no
// command is applied.
const (
	tasksPerCall = 20_000
	tasksPerPart = 1_000
)

// ListUserTasks lists open user tasks in the order of their payments. Rows are found
// by payment, not by assignee, so a page may hold less than was asked for, and the
// token says where to go on.
func (s *Service) ListUserTasks(_ context.Context, r *corev1.ListUserTasksRequest) (*corev1.ListUserTasksResponse, error) {
	size := int(r.PageSize)
	if size == 0 {
		size = 100
	}
	var only uint64
	if r.Payment != "" {
		var err error
		if only, err = s.payment(r.Payment); err != nil {
			return nil, err
		}
	}
	from := engine.Key{Table: engine.TableUserTask, A: only}
	if r.PageToken != "" {
		if n, err := fmt.Sscanf(r.PageToken, "%x-%x", &from.A, &from.B); err != nil || n != 2 || only != 0 && from.A != only {
			return nil, refuse(connect.CodeInvalidArgument, "BAD_PAGE_TOKEN", "The page token is none that this filter was given.")
		}
	}
	answer := &corev1.ListUserTasksResponse{}
	for looked := 0; ; {
		more := false
		err := s.Replica.View(func(tx engine.Tx) error {
			row, found := tx.Get(engine.Key{Table: engine.TableMeta})
			if !found {
				return nil
			}
			meta, part := row.(*enginev1.Meta), 0
			tx.Ascend(from, func(k engine.Key, row engine.Row) bool {
				if only != 0 && k.A != only {
					return false
				}
				if part == tasksPerPart || len(answer.Tasks) == size {
					from, more = k, true
					return false
				}
				part, looked = part+1, looked+1
				if task := row.(*enginev1.UserTask); wanted(r, task) {
					answer.Tasks = append(answer.Tasks, userTask(tx, meta, task))
				}
				return true
			})
			return nil
		})
		switch {
		case err != nil:
			return nil, err
		case !more:
			return answer, nil
		case len(answer.Tasks) == size || looked >= tasksPerCall:
			answer.NextPageToken = fmt.Sprintf("%x-%x", from.A, from.B)
			return answer, nil
		}
	}
}

// wanted tells whether a task passes the filter.
func wanted(r *corev1.ListUserTasksRequest, t *enginev1.UserTask) bool {
	switch {
	case r.Tenant != "" && r.Tenant != t.Tenant,
		r.Assignee != "" && r.Assignee != t.Assignee,
		r.Unassigned && t.Assignee != "",
		r.CandidateGroup != "" && !slices.Contains(t.CandidateGroups, r.CandidateGroup),
		r.CandidateUser != "" && !slices.Contains(t.CandidateUsers, r.CandidateUser),
		r.DueBeforeMs != 0 && (t.DueMs == 0 || t.DueMs >= r.DueBeforeMs):
		return false
	}
	return true
}

func userTask(tx engine.Tx, meta *enginev1.Meta, t *enginev1.UserTask) *corev1.UserTask {
	task := &corev1.UserTask{
		Payment: engine.PaymentUUID(meta, t.Payment), Task: t.N, Tenant: t.Tenant, Element: t.Element, Name: t.Name,
		Assignee: t.Assignee, CandidateGroups: t.CandidateGroups, CandidateUsers: t.CandidateUsers, FormKey: t.FormKey,
		DueMs: t.DueMs, FollowUpMs: t.FollowUpMs, Priority: t.Priority, CreatedMs: t.CreatedMs,
	}
	if row, found := tx.Get(engine.Key{Table: engine.TableInstance, A: t.Payment}); found {
		task.Flow = row.(*enginev1.Instance).Flow
	}
	for _, h := range t.Headers {
		task.Headers = append(task.Headers, &corev1.Header{Key: h.Key, Value: h.Value})
	}
	return task
}

// GetUserTask shows a task and the variables it sees.
func (s *Service) GetUserTask(ctx context.Context, r *corev1.GetUserTaskRequest) (*corev1.GetUserTaskResponse, error) {
	payment, err := s.payment(r.Payment)
	if err != nil {
		return nil, err
	}
	answer, err := s.readUserTask(payment, r.Task)
	if err == nil && answer == nil && s.Commands.CatchUp(ctx) == nil {
		answer, err = s.readUserTask(payment, r.Task)
	}
	if err == nil && answer == nil {
		err = refuse(connect.CodeNotFound, "TASK_UNKNOWN", "The payment has no such open user task.")
	}
	return answer, err
}

// readUserTask is nil when these rows do not have the task.
func (s *Service) readUserTask(payment uint64, n uint32) (answer *corev1.GetUserTaskResponse, err error) {
	err = s.Replica.View(func(tx engine.Tx) error {
		meta, found := tx.Get(engine.Key{Table: engine.TableMeta})
		if !found {
			return nil
		}
		row, found := tx.Get(engine.Key{Table: engine.TableUserTask, A: payment, B: uint64(n)})
		if !found {
			return nil
		}
		task := row.(*enginev1.UserTask)
		answer = &corev1.GetUserTaskResponse{Task: userTask(tx, meta.(*enginev1.Meta), task)}
		if row, found := tx.Get(engine.Key{Table: engine.TableInstance, A: payment}); found {
			seen, _ := engine.Visible(row.(*enginev1.Instance), task.Token)
			answer.Variables = variableInfos(seen)
		}
		return nil
	})
	return answer, err
}

// actOnTask proposes an act on a user task.
func (s *Service) actOnTask(
	ctx context.Context, uuid string, by *corev1.Actor, command func(payment uint64, by *enginev1.Actor) *enginev1.Command,
) error {
	who, err := named(by)
	if err != nil {
		return err
	}
	payment, err := s.payment(uuid)
	if err != nil {
		return err
	}
	reply, err := s.Commands.Propose(ctx, command(payment, who))
	return s.fromPropose(reply, err)
}

// ClaimUserTask gives a task to somebody.
func (s *Service) ClaimUserTask(ctx context.Context, r *corev1.ClaimUserTaskRequest) (*corev1.ClaimUserTaskResponse, error) {
	err := s.actOnTask(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_ClaimUserTask{ClaimUserTask: &enginev1.ClaimUserTask{
			Payment: payment, Task: r.Task, Assignee: r.Assignee, OnlyFree: !r.Reassign, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.ClaimUserTaskResponse{}, nil
}

// UnclaimUserTask gives a task back to all its candidates.
func (s *Service) UnclaimUserTask(ctx context.Context, r *corev1.UnclaimUserTaskRequest) (*corev1.UnclaimUserTaskResponse, error) {
	err := s.actOnTask(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_ClaimUserTask{ClaimUserTask: &enginev1.ClaimUserTask{
			Payment: payment, Task: r.Task, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.UnclaimUserTaskResponse{}, nil
}

// UpdateUserTask changes the attributes that are named.
func (s *Service) UpdateUserTask(ctx context.Context, r *corev1.UpdateUserTaskRequest) (*corev1.UpdateUserTaskResponse, error) {
	err := s.actOnTask(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_UpdateUserTask{UpdateUserTask: &enginev1.UpdateUserTask{
			Payment: payment, Task: r.Task, Fields: r.Fields, Actor: by,
			Values: &enginev1.UserTask{
				CandidateGroups: r.CandidateGroups, CandidateUsers: r.CandidateUsers,
				DueMs: r.DueMs, FollowUpMs: r.FollowUpMs, Priority: r.Priority,
			},
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.UpdateUserTaskResponse{}, nil
}

// CompleteUserTask ends a task with what the person found out.
func (s *Service) CompleteUserTask(ctx context.Context, r *corev1.CompleteUserTaskRequest) (*corev1.CompleteUserTaskResponse, error) {
	vars, err := variables(r.Variables)
	if err != nil {
		return nil, err
	}
	err = s.actOnTask(ctx, r.Payment, r.Actor, func(payment uint64, by *enginev1.Actor) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_CompleteUserTask{CompleteUserTask: &enginev1.CompleteUserTask{
			Payment: payment, Task: r.Task, Variables: vars, Actor: by,
		}}}
	})
	if err != nil {
		return nil, err
	}
	return &corev1.CompleteUserTaskResponse{}, nil
}

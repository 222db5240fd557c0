package cgroup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodeinit/nodeinit/httpget"
	"github.com/nodeinit/nodeinit/rawjson"
)

// ECSTimeout is how long to wait for [ECS] at the start.
const ECSTimeout = time.Second

const ecsMetadata = "ECS task metadata"

// ECS asks the metadata endpoint of Amazon ECS for the limits of the task, in CPUs
// and bytes, 0 for none. They are set on a cgroup above the container, which the
// container cannot see. uri is the value of ECS_CONTAINER_METADATA_URI_V4; ctx limits
// the time. See
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-response.html
func ECS(ctx context.Context, uri string) (cpus float64, memory int64, err error) {
	body, err := httpget.Get(ctx, uri+"/task")
	if err != nil {
		return 0, 0, fmt.Errorf("ask for ECS task metadata: %w", err)
	}
	cpus, memory, err = parseTask(body)
	if err != nil {
		return 0, 0, fmt.Errorf("read ECS task metadata: %w", err)
	}
	return cpus, memory, nil
}

// parseTask returns the Limits of the task. Those of its containers are shares, which
// limit nothing.
func parseTask(body []byte) (cpus float64, memory int64, err error) {
	value, err := rawjson.Parse(body)
	if err != nil {
		return 0, 0, err
	}
	task := rawjson.Decoder{From: value}
	task.Object("Limits", func(limits *rawjson.Decoder) {
		limits.Float("CPU", &cpus)      // vCPUs
		limits.Int64("Memory", &memory) // MiB
	})
	switch {
	case !value.IsObject():
		return 0, 0, errors.New("it is no JSON object")
	case task.Wrong != "":
		return 0, 0, fmt.Errorf("the value of %s is wrong", task.Wrong)
	}
	if cpus < 0 || memory < 0 || memory >= noMemoryLimit>>20 {
		return 0, 0, fmt.Errorf("limits of %v vCPU and %d MiB", cpus, memory)
	}
	return cpus, memory << 20, nil
}

// WithECS returns the limits with those of the ECS task where these are lower, in
// CPUs and bytes, 0 for none.
func (l Limits) WithECS(cpus float64, memory int64) Limits {
	l.lowerCPU(cpus, ecsMetadata)
	l.lowerMemory(memory, ecsMetadata)
	l.capMemory()
	return l
}

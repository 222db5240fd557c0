package deploy

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const taskDefinition = "../../deploy/ecs/task-definition.json"

// registered is what the SDK makes of the task definition, with unknown fields refused.
func registered(t *testing.T) (file []byte, input *ecs.RegisterTaskDefinitionInput) {
	t.Helper()
	file, err := os.ReadFile(taskDefinition)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(file))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&input); err != nil {
		t.Fatalf("%s: %v", taskDefinition, err)
	}
	return file, input
}

// The SDK's own client checks the required members and writes the request; encoding/json overlooks
// the case of names, ECS does not, so what goes over the wire must be the file again.
func TestECSTaskDefinitionIsARequest(t *testing.T) {
	file, input := registered(t)
	var sent []byte
	client := ecs.New(ecs.Options{
		Region:      "eu-central-1",
		Credentials: aws.AnonymousCredentials{},
		HTTPClient: roundTrip(func(request *http.Request) (*http.Response, error) {
			var err error
			sent, err = io.ReadAll(request.Body)
			return &http.Response{
				StatusCode: http.StatusOK,
				Header:     http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
				Body:       io.NopCloser(strings.NewReader("{}")),
			}, err
		}),
	})
	if _, err := client.RegisterTaskDefinition(t.Context(), input); err != nil {
		t.Fatal(err)
	}
	if want, got := decodeAny(t, file), decodeAny(t, sent); !reflect.DeepEqual(want, got) {
		t.Errorf("ECS would get\n%v\ninstead of\n%v", got, want)
	}
}

func TestECSTaskDefinitionSuitsFargate(t *testing.T) {
	_, input := registered(t)
	if input.NetworkMode != types.NetworkModeAwsvpc {
		t.Errorf("networkMode %q, Fargate has awsvpc only", input.NetworkMode)
	}
	if input.Cpu == nil || input.Memory == nil || input.ExecutionRoleArn == nil {
		t.Error("Fargate with awslogs needs cpu, memory and executionRoleArn")
	}
	if len(input.ContainerDefinitions) != 1 {
		t.Fatalf("%d containers, want 1", len(input.ContainerDefinitions))
	}
	app := input.ContainerDefinitions[0]
	if app.Name == nil || app.Image == nil || app.StopTimeout == nil || app.LogConfiguration == nil || app.LinuxParameters == nil {
		t.Fatal("name, image, stopTimeout, logConfiguration and linuxParameters are to be set")
	}
	if app.HealthCheck != nil || aws.ToBool(app.LinuxParameters.InitProcessEnabled) {
		t.Error("a healthCheck, or another init before nodeinit")
	}
	if !aws.ToBool(app.ReadonlyRootFilesystem) || aws.ToString(app.User) == "" {
		t.Error("the root is to be read-only and the user not root")
	}
	environment := map[string]string{}
	for _, pair := range app.Environment {
		environment[aws.ToString(pair.Name)] = aws.ToString(pair.Value)
	}
	grace, err := time.ParseDuration(environment["NODEINIT_GRACE"])
	if err != nil {
		t.Fatal(err)
	}
	if stop := time.Duration(*app.StopTimeout) * time.Second; stop <= grace {
		t.Errorf("ECS kills after %v, within the grace time of %v", stop, grace)
	}
}

// A roundTrip answers a request without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(request *http.Request) (*http.Response, error) { return f(request) }

func decodeAny(t *testing.T, data []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

package cluster

import (
	"slices"
	"strings"
	"testing"
)

// A cpuProfile is a .cpuprofile, as the Chrome DevTools Protocol describes it (Profiler.Profile).
type cpuProfile struct {
	Nodes []struct {
		ID        int
		CallFrame struct {
			FunctionName string
			URL          string
		}
		Children []int
	}
	StartTime, EndTime float64 // us
	Samples            []int
	TimeDeltas         []float64
}

// check checks that it is a tree whose samples are nodes, and that of the application's
// functions one has most of them.
func (p cpuProfile) check(t *testing.T, hot string) {
	t.Helper()
	names, parents := make(map[int]string), make(map[int]int) // names of the application's functions
	for _, node := range p.Nodes {
		names[node.ID] = ""
		if strings.HasSuffix(node.CallFrame.URL, ".js") {
			names[node.ID] = node.CallFrame.FunctionName
		}
		for _, child := range node.Children {
			parents[child]++
		}
	}
	if len(names) != len(p.Nodes) || len(parents) != len(p.Nodes)-1 || p.Nodes[0].CallFrame.FunctionName != "(root)" {
		t.Fatalf("%d nodes with %d IDs, of which %d are children, below %q", len(p.Nodes), len(names), len(parents), p.Nodes[0].CallFrame.FunctionName)
	}
	for child, n := range parents {
		if _, known := names[child]; !known || n != 1 {
			t.Fatalf("node %d has %d parents", child, n)
		}
	}
	if len(p.Samples) == 0 || len(p.Samples) != len(p.TimeDeltas) || p.EndTime <= p.StartTime {
		t.Fatalf("%d samples, %d times, from %v to %v", len(p.Samples), len(p.TimeDeltas), p.StartTime, p.EndTime)
	}
	hits := make(map[string]int)
	for _, id := range p.Samples {
		name, known := names[id]
		if !known {
			t.Fatalf("sample of node %d, which is not there", id)
		}
		hits[name]++
	}
	for name, n := range hits {
		if hits[hot] == 0 || name != "" && n > hits[hot] {
			t.Errorf("of %d samples %d are in %s, and %d in %s", len(p.Samples), hits[hot], hot, n, name)
		}
	}
}

// A heapProfile is a .heapprofile (HeapProfiler.SamplingHeapProfile).
type heapProfile struct {
	Head    allocations
	Samples []struct {
		Size   float64
		NodeID int `json:"nodeId"`
	}
}

type allocations struct {
	CallFrame struct{ FunctionName string }
	SelfSize  float64
	ID        int
	Children  []allocations
}

// names returns the functions, each between spaces.
func (a allocations) names() string {
	text := " " + a.CallFrame.FunctionName + " "
	for _, child := range a.Children {
		text += child.names()
	}
	return text
}

func (a allocations) total() float64 {
	sum := a.SelfSize
	for _, child := range a.Children {
		sum += child.total()
	}
	return sum
}

// A heapSnapshot is a .heapsnapshot, as DevTools reads it (front_end/entrypoints/heap_snapshot_worker).
type heapSnapshot struct {
	Snapshot struct {
		Meta struct {
			NodeFields []string `json:"node_fields"`
			NodeTypes  []any    `json:"node_types"`
			EdgeFields []string `json:"edge_fields"`
			EdgeTypes  []any    `json:"edge_types"`
		}
		NodeCount int `json:"node_count"`
		EdgeCount int `json:"edge_count"`
	}
	Nodes, Edges []int
	Strings      []string
}

// check checks the graph, and that it has an object of a class with a property that is a
// string.
func (s heapSnapshot) check(t *testing.T, class, property, value string) {
	t.Helper()
	meta := s.Snapshot.Meta
	nodeSize, edgeSize := len(meta.NodeFields), len(meta.EdgeFields)
	if nodeSize == 0 || edgeSize == 0 || len(s.Nodes) != s.Snapshot.NodeCount*nodeSize || len(s.Edges) != s.Snapshot.EdgeCount*edgeSize {
		t.Fatalf("%d numbers for %d nodes, %d for %d edges", len(s.Nodes), s.Snapshot.NodeCount, len(s.Edges), s.Snapshot.EdgeCount)
	}
	field := func(fields []string, name string) int {
		i := slices.Index(fields, name)
		if i < 0 {
			t.Fatalf("no %q in %v", name, fields)
		}
		return i
	}
	nodeType, nodeName, edgeCount := field(meta.NodeFields, "type"), field(meta.NodeFields, "name"), field(meta.NodeFields, "edge_count")
	edgeType, edgeName, toNode := field(meta.EdgeFields, "type"), field(meta.EdgeFields, "name_or_index"), field(meta.EdgeFields, "to_node")
	nodeTypes, edgeTypes := meta.NodeTypes[nodeType].([]any), meta.EdgeTypes[edgeType].([]any)
	edge, found := 0, false
	for node := 0; node < len(s.Nodes); node += nodeSize {
		name := s.Strings[s.Nodes[node+nodeName]]
		isClass := nodeTypes[s.Nodes[node+nodeType]] == "object" && name == class
		for range s.Nodes[node+edgeCount] {
			to, kind := s.Edges[edge+toNode], edgeTypes[s.Edges[edge+edgeType]]
			if to%nodeSize != 0 || to < 0 || to >= len(s.Nodes) {
				t.Fatalf("edge %d leads to %d", edge/edgeSize, to)
			}
			if isClass && kind == "property" && s.Strings[s.Edges[edge+edgeName]] == property {
				found = found || s.Strings[s.Nodes[to+nodeName]] == value && strings.Contains(nodeTypes[s.Nodes[to+nodeType]].(string), "string")
			}
			edge += edgeSize
		}
	}
	if edge != len(s.Edges) {
		t.Fatalf("%d numbers of edges are left", len(s.Edges)-edge)
	}
	if !found {
		t.Errorf("there is no %s with the %s %q", class, property, value)
	}
}

package cluster_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/cluster"
)

// Example serves one worker. It would be Node, started with end as NODE_CHANNEL_FD; here a
// goroutine speaks the protocol.
func Example() {
	p, err := cluster.New(cluster.RR)
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()

	w, end, err := p.Open(0)
	if err != nil {
		panic(err)
	}
	address := make(chan string)
	go serve(end, address)

	at := <-address
	for serving := false; !serving; {
		<-p.Reported()
		for _, r := range p.Reports() {
			serving = r.ID == w.ID() && r.State.Online && r.State.Servers == 1
		}
	}
	client, err := net.Dial("tcp", at)
	if err != nil {
		panic(err)
	}
	answer, _ := io.ReadAll(client)
	fmt.Printf("%s\n", answer)

	w.Release(false)
	stop()
	fmt.Println(<-done)
	// Output:
	// hello from the worker
	// <nil>
}

// serve is what Node does for net.createServer(c => c.end('hello')).listen(0).
func serve(end int, address chan<- string) {
	file := os.NewFile(uintptr(end), "channel")
	conn, err := net.FileConn(file)
	if err != nil {
		panic(err)
	}
	file.Close()
	channel := conn.(*net.UnixConn)
	fmt.Fprintln(channel, `{"cmd":"NODE_CLUSTER","act":"online","seq":0}`)
	fmt.Fprintln(channel, `{"cmd":"NODE_CLUSTER","act":"queryServer","address":"127.0.0.1","port":0,"addressType":4,"flags":0,"index":0,"data":null,"seq":1}`)
	reply, err := bufio.NewReader(channel).ReadBytes('\n')
	if err != nil {
		panic(err)
	}
	var server struct{ Sockname struct{ Port int } }
	if err := json.Unmarshal(reply, &server); err != nil {
		panic(err)
	}
	address <- fmt.Sprintf("127.0.0.1:%d", server.Sockname.Port)

	newconn, oob := make([]byte, 1024), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := channel.ReadMsgUnix(newconn, oob) // with the connection
	if err != nil {
		panic(err)
	}
	var message struct{ Msg struct{ Seq int } }
	if err := json.Unmarshal(newconn[:n], &message); err != nil {
		panic(err)
	}
	control, _ := unix.ParseSocketControlMessage(oob[:oobn])
	fds, _ := unix.ParseUnixRights(&control[0])
	fmt.Fprintln(channel, `{"cmd":"NODE_HANDLE_ACK"}`)
	fmt.Fprintf(channel, `{"cmd":"NODE_CLUSTER","ack":%d,"accepted":true,"seq":2}`+"\n", message.Msg.Seq)
	connection := os.NewFile(uintptr(fds[0]), "connection")
	fmt.Fprint(connection, "hello from the worker")
	connection.Close()
}

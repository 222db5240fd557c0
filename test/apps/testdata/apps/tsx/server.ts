import { createServer, type RequestListener } from 'node:http';

enum Port { // what needs a compiler, not only types taken out
  Default = 3000,
}

const answer: RequestListener = (request, response) => {
  response.end(`pid ${process.pid}\n`);
};
createServer(answer).listen(process.env.PORT || Port.Default);

// For --import: what a preload sees.
import cluster from 'node:cluster';

globalThis.preload = { isWorker: cluster.isWorker, connected: process.connected };

import DIGNet
import NIOCore

extension MessageStream {
    /// Says that nothing follows and waits, within the stream's time, for the peer to say so too; whatever else it says resets the stream.
    func finishAndDrain() {
        // A stream that is closed while its last bytes wait would be reset, and they would be lost.
        let finished = self.channel.close(mode: .output)
        self.read().whenComplete { _ in
            finished.whenComplete { _ in self.close() }
        }
    }

    /// Sends the last message.
    func end(with message: ByteBuffer) {
        self.write(message)
        self.finishAndDrain()
    }
}

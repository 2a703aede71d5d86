/// One conversation about one punch, whatever carries it.
protocol PunchChannel: Sendable {
    /// For records: `relay`, or the name of a backend.
    var name: String { get }

    func send(_ message: PunchMessage) async throws

    /// The peer's next message. One call at a time; cancelling ends the conversation.
    func receive() async throws -> PunchMessage

    /// Everything is said.
    func finish()

    /// Ends the conversation because of an error.
    func close()
}

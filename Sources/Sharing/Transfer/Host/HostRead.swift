import DIGContent

/// A piece of consecutive chunks to be read as frames. Complete with ``HostSessionStateMachine/framesRead(_:id:)``.
struct HostRead: Sendable {
    let id: UInt64
    let handle: UInt32
    let file: HostedFile
    let layout: ChunkLayout
    let chunks: Range<Int>
}

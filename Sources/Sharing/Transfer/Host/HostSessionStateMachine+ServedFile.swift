import DIGContent
import DequeModule

extension HostSessionStateMachine {
    struct ServedFile {
        let file: HostedFile
        let layout: ChunkLayout
        /// Chunks owed and not yet being read, in the order asked for.
        var pending: Deque<Range<Int>> = []
        /// What a subscriber has been told; nil without subscription.
        var announced: ChunkBitmap?
        /// Set once the file may not be served any more.
        var withdrawn: UnavailableReason?
    }
}

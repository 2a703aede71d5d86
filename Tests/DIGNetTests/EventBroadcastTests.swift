import DIGNet
import Testing

@Suite("Events for many readers", .timeLimit(.minutes(1)))
struct EventBroadcastTests {
    @Test("Readers that are cancelled while events come do not lock the emitter and each other up")
    func cancelledReaders() async {
        let broadcast = EventBroadcast<Int>(bufferCount: 4)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for event in 0..<200_000 { broadcast.emit(event) }
            }
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<2_000 {
                        let events = broadcast.subscribe()
                        let reader = Task { for await _ in events {} }
                        await Task.yield()
                        reader.cancel()
                        await reader.value
                    }
                }
            }
        }
        broadcast.finish()
        var iterator = broadcast.subscribe().makeAsyncIterator()
        #expect(await iterator.next() == nil)
    }

    @Test("Each reader gets what comes after it came, the oldest are dropped and counted, and the end ends all")
    func bounded() async {
        let broadcast = EventBroadcast<Int>(bufferCount: 2)
        broadcast.emit(0)
        let first = broadcast.subscribe()
        broadcast.emit(1)
        let second = broadcast.subscribe()
        broadcast.emit(2)
        broadcast.emit(3)
        broadcast.finish()
        broadcast.emit(4)
        var (one, two): ([Int], [Int]) = ([], [])
        for await event in first { one.append(event) }
        for await event in second { two.append(event) }
        #expect(one == [2, 3] && two == [2, 3])
        #expect(broadcast.droppedCount == 1)
    }
}

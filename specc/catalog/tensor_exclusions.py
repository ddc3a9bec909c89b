"""What torch, torch.linalg, torch.fft and torch.special export for tensors and the catalogue has no
row for, in groups that have one reason.

Rows are called by the last part of torch's names, so that a function which two namespaces have is
covered by one row. Non-goal: torch.nn.functional, which is in ``exclusions``. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_GROUPS: Mapping[str, str] = {
    "an alias; the row has torch's own name": (
        "absolute arccos arccosh arcsin arcsinh arctan arctan2 arctanh clip concat concatenate"
        " conj_physical divide fix ger greater greater_equal igamma igammac inverse less"
        " less_equal moveaxis multiply negative not_equal pinverse row_stack rsub"
        " split_with_sizes subtract trapz true_divide expit gammaln psi multigammaln"
        " feature_dropout"
    ),
    "deprecated in torch; its successor is in torch.linalg": (
        "chain_matmul frobenius_norm geqrf lu_unpack nuclear_norm orgqr ormqr triangular_solve"
    ),
    "the copying form of a view, for exporters": (
        "alias_copy as_strided_copy ccol_indices_copy col_indices_copy crow_indices_copy"
        " detach_copy diagonal_copy expand_copy indices_copy narrow_copy permute_copy"
        " row_indices_copy select_copy slice_copy slice_inverse split_copy split_with_sizes_copy"
        " squeeze_copy t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy values_copy"
        " view_as_complex_copy view_as_real_copy view_copy"
    ),
    "leaves the memory of its results to the caller": (
        "unsafe_chunk unsafe_split unsafe_split_with_sizes empty_like resolve_conj resolve_neg"
    ),
    "the shape of the result depends on the values": (
        "argwhere bincount masked_select nonzero unique unique_consecutive lstsq"
    ),
    "fills a given size with what is there, and the rest with a number: masks say it": (
        "nonzero_static"
    ),
    "counts into bins, without a gradient": "histc histogram histogramdd",
    "reads memory by its strides, which a layout may change": "as_strided_scatter",
    "is of the whole program, and a spec compares in its test": (
        "allclose equal get_device hash_tensor is_complex is_conj is_distributed"
        " is_floating_point is_inference is_neg is_nonzero is_same_size is_signed numel"
    ),
    "is of sizes, which the language computes with": (
        "sym_float sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum"
    ),
    "draws from torch's own generator; normal_like, uniform_like and bernoulli are the noise": (
        "binomial multinomial poisson"
    ),
    "draws the vectors that it starts from; svd and eigh are exact": (
        "lobpcg pca_lowrank svd_lowrank"
    ),
    "a kernel behind a function that has a row": (
        "affine_grid_generator batch_norm_backward_elemt batch_norm_backward_reduce"
        " batch_norm_elemt batch_norm_gather_stats batch_norm_gather_stats_with_counts"
        " batch_norm_stats batch_norm_update_stats constant_pad_nd convolution grid_sampler"
        " grid_sampler_2d grid_sampler_3d max_pool1d_with_indices native_batch_norm"
        " native_channel_shuffle native_dropout native_group_norm native_layer_norm native_norm"
        " norm_except_dim miopen_batch_norm miopen_convolution miopen_convolution_add_relu"
        " miopen_convolution_relu miopen_convolution_transpose miopen_depthwise_convolution"
        " miopen_rnn"
    ),
    "the kernel of a recurrent layer; its weights are a list": (
        "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell"
    ),
    "of quantized numbers": (
        "choose_qparams_optimized dequantize fake_quantize_per_channel_affine"
        " fake_quantize_per_tensor_affine fbgemm_linear_fp16_weight"
        " fbgemm_linear_fp16_weight_fp32_activation fbgemm_linear_int8_weight"
        " fbgemm_linear_int8_weight_fp32_activation fbgemm_linear_quantize_weight"
        " fbgemm_pack_gemm_matrix_fp16 fbgemm_pack_quantized_matrix"
        " fused_moving_avg_obs_fake_quant int_repr q_per_channel_axis q_per_channel_scales"
        " q_per_channel_zero_points q_scale q_zero_point quantize_per_channel"
        " quantize_per_tensor quantize_per_tensor_dynamic quantized_batch_norm"
        " quantized_gru_cell quantized_lstm_cell quantized_max_pool1d quantized_max_pool2d"
        " quantized_max_pool3d quantized_rnn_relu_cell quantized_rnn_tanh_cell"
    ),
    "of sparse tensors": "dsmm hsmm hspmm saddmm smm spmm sspaddmm",
    "convolves time first, for one library's weights; conv1d and transpose say it": "conv_tbc",
    "always computes in float64, whatever the run's precision; pow is of the run's": "float_power",
    "takes numbers apart by their bits; log2 says their size": "frexp",
    "gives a tuple whose length the rank tells; diff says it": "gradient",
    "takes a tuple of indices, and changes by them; scatter and index_add are of one": "index_put",
    "in beta: torch says that its form may change": "index_reduce",
    "puts by flat places; scatter says it": "put",
    "takes as many values as the mask has trues": "masked_scatter",
    "gives a tuple whose length is the rank; // and % say it": "unravel_index",
    "cuts and transforms in one; a window, unfold and fft say each step": "stft istft",
    "the order of complex eigenvalues is no library's promise; eigh is of Hermitian matrices": (
        "eig eigvals"
    ),
    "gives codes of failure instead of raising, for programs that look at values": (
        "cholesky_ex inv_ex ldl_factor_ex lu_factor_ex solve_ex"
    ),
    "a packed factorization, of which only its own solver can be made": (
        "householder_product ldl_factor ldl_solve lu_factor lu_solve"
    ),
    "solves over several dimensions at once; reshape and solve say it": "tensorinv tensorsolve",
    "has no derivative in torch": (
        "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_i0 modified_bessel_i1"
        " modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0"
        " scaled_modified_bessel_k1 spherical_bessel_j0 chebyshev_polynomial_t"
        " chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w"
        " hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l"
        " legendre_polynomial_p shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u"
        " shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w"
    ),
}

TENSOR_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {name: reason for reason, names in _GROUPS.items() for name in names.split()}
)
